"""Trains the variants of an ablation with several seeds, scores them, and sets them side by side.

    OUT/data/KEY                   corpus, tokenizer and selection, shared by all that ask for them
    OUT/VARIANT/seed-N             a run of `fim-runtime train`, its recipe.toml beside it
    OUT/VARIANT/seed-N/points/I    bundles on the way there, if there are several points
    .../infilling, .../harness     what the evaluations keep, beside each bundle
    OUT/report.json, report.md, curves.svg, curves.png

What is trained and scored already is skipped, so that the same command goes on where it was broken
off, and more seeds or another recipe extend an ablation.  A variant may as well be trained
elsewhere, under torchrun, into its folder.
"""
