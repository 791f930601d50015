"""How fast: figures that are ratios, measured in turns within one run.

`python -m benchmarks` measures all of them, writes a JSON beside each other in
`results/` and the table into `README.md`. Not a part of the package: run by hand, from
a checkout, with the extra `[benchmarks]`.
"""
