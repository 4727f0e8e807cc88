"""The benchmark: this project against the loop of the usual tools, in one run on one machine.

    python -m tests.benchmarks [--quick] [--json FILE] [--content IMG --style IMG] …

Seconds of one machine say little about another, so every figure has its counterpart from the same
run beside it, and what counts is the ratio. Everything runs on the CPU.
"""
