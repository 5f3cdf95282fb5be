"""What a completion computes, and whether those are the steps of its question's graph. Pure."""
