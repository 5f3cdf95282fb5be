"""The page that shows a grid's results, from tables alone."""
