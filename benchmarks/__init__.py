"""Benchmarks: each measures one capability, against a floor in the same run where there is one.

Run by ``make bench-*``.
"""
