// Why the verifier decided as it did, in words.
function verdictInWords(index, part, row, gold) {
  const { element, json } = parts;
  const looks = Object.fromEntries(json("data-looks").map((look) => [look.name, look]));
  const PLACES = {
    returned: "what the function returns when it is run",
    last_value: "the value of the last block of code when it is run",
    box_after_code: "the box after the code",
    boxed: "the last box in the text",
    after_phrase: "what follows the last “The answer is”",
  };
  const STATUSES = {
    ok: "an answer was read",
    syntax: "the program is not valid Python",
    raised: "the program stopped with an error",
    unsupported: "the program uses what the sandbox does not have",
    limit: "the program or its value was too large",
    timeout: "the program ran out of time",
    crashed: "the program ended its process",
    no_answer: "nothing stands where the answer belongs",
    truncated: "it has no end token, so nothing was read",
    error: "the verifier itself failed on it",
  };
  const FLAGS = {
    truncated: "no end token",
    mixed: "marks of several formats",
    repeats: "a degenerate loop",
    box_disagrees: "its box is not what its code gives",
    tool: "an output was inserted while it was decoded",
  };
  const format = index.formats[part.format[row]];
  const said = index.rules.map((rule, i) => {
    const which = part.answer[i][row];
    const answer = which < 0 ? null : part.answers[i][which];
    return { rule, right: part.right[row] >> i & 1, answer: Array.isArray(answer) ? `${answer[0]}…` : answer };
  });
  const [first, ...others] = said;
  const status = index.statuses[part.status[row]];
  const read = first.answer === null ? "nothing" : first.answer;
  const flags = index.flags.filter((_, i) => part.flags[row] >> i & 1).map((name) => FLAGS[name] || name);
  const lines = [
    ["Format", `${format}: ${looks[format].words}`],
    ["Looked at", PLACES[looks[format].place] || (looks[format].place ? "the place where this format puts its answer" : "nothing: this format has no answer")],
    ["What came of it", STATUSES[status] || status],
    [looks[format].program ? "Executed value" : "Extracted answer", read],
    ["Decision", first.right ? `equal to the right answer ${gold}: right` : first.answer === null ? "no answer: wrong" : `not the right answer ${gold}: wrong`],
    ["Flags", flags.join(", ") || "none"],
    ...others.map(({ rule, right, answer }) => [`By rule ${rule}`, `${right ? "right" : "wrong"}, reads ${answer === null ? "nothing" : answer}`]),
    ["Length", `${part.tokens[row]} tokens${part.finished[row] ? "" : ", no end token"}`],
  ];
  return element("dl", { class: "why" }, ...lines.flatMap(([name, words]) => [element("dt", {}, name), element("dd", {}, words)]));
}
