"""The same pairs under several variants of the settings, side by side, judged.

Everything but what a variant changes is equal: contents, styles, size, seed and either the steps
or the seconds. Where backbones are compared, each works in a process of its own, one pair at a
time, so that seconds and peak memory are its own; judgements wait until all pictures are made, and
disturb none of it.

A backbone is judged by another (`nstcli.metrics.judgement.judge_of`). Content and style errors of
different judges are different quantities: they are never ranked together. Whoever sees the other
figures is the same for all.
"""
