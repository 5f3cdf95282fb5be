"""Four habits of reasoning in English, by the phrases that announce them (docs/behaviours.md has their precision).

The habits are those of Gandhi et al. 2025 (arXiv 2503.01307). A phrase is neither needed nor enough for a habit: who
checks without saying so is missed.
"""

from __future__ import annotations

from echochamber.behaviours.partition import of_marks
from echochamber.behaviours.tests import Pattern

_PATTERNS = {
    "re-checking": (
        r"(?i)\b(?:let(?:'s| us| me)|we can|we should|i(?:'ll| will| should)|to) (?:now |also |first |quickly )?"
        r"(?:double[- ]check|re-?check|verify|confirm)\b"
        r"|\blet(?:'s| us| me) (?:check|make sure) (?:that|if|whether|our|my|the|this|these|it)\b"
        r"|\b(?:we can|to) check (?:that|if|whether|our|my|this|the (?:answer|result|solution))\b"
        r"|\b(?:double|re)[- ]?checking\b|\bas a (?:sanity )?check\b|\bchecking (?:our|my|the) (?:answer|work|result)\b"
    ),
    "back-tracking": (
        r"(?i)(?:^|[.!?\n]\s{0,3})(?:oh )?(?:wait|hmm|oops|hold on)\b|\bon second thought\b"
        r"|\b(?:i|we) (?:made|have made) (?:a mistake|an error)\b"
        r"|\b(?:this|that)(?: is|'s) (?:not right|not correct|incorrect|wrong)\b"
        r"|\blet(?:'s| us| me) (?:try (?:again|another|a different)|start over|reconsider|re-?evaluate|rethink)\b"
        r"|\blet(?:'s| us| me) correct (?:this|that|the|it)\b|\b(?:i|we) apologi[sz]e\b"
        r"|\b(?:this|that|our|my) (?:approach|solution|method|attempt|guess) (?:does not|doesn't|did not|didn't) work\b"
    ),
    "sub-goals": (
        r"(?im)^[^\w\n]{0,8}step \d+\b"
        r"|\bfirst(?:ly)?,? (?:we|let(?:'s| us)|i|you|find|calculate|compute|determine|note)\b"
        r"|\b(?:next|then|finally),? (?:we|let(?:'s| us)|i) (?:need to|can|will|have to|must|should)? ?"
        r"(?:find|calculate|compute|determine|solve|subtract|add|multiply|divide)\b"
        r"|\bbreak (?:this|it|the problem) (?:down|into)\b"
    ),
    "backward chaining": (
        r"(?i)\b(?:work(?:ing)?|go(?:ing)?|reason(?:ing)?) backwards?\b|\bin reverse, (?:we|i|you)\b"
        r"|\b(?:to|in order to) (?:find|get|reach|know|determine|calculate|solve) [^.\n]{1,80}?,? "
        r"(?:we|i|you)(?:'ll| will)? (?:first )?(?:need|must|have) (?:to )?(?:know|find|have|first)\b(?! that\b)"
        r"|\bstart(?:ing)? (?:from|with) (?:the end|the answer|the goal|what we want)\b"
    ),
}

PARTITIONS = of_marks({name: Pattern(text) for name, text in _PATTERNS.items()})
