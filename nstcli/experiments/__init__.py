"""The same pairs under several variants of the settings, side by side, judged.

An axis is a setting that takes several values; a sweep says which points of its axes are wanted; a
variant is what is made at a point. Everything but what a variant changes is equal: contents,
styles, size, seed and either the steps or the seconds. `nst run` makes all variants as one batch,
in which they share networks and what these see of the inputs.

Backbones are compared as the variants of one axis. Each works in a process of its own, one pair at
a time, so that seconds and peak memory are its own; judgements wait until all pictures are made,
and disturb none of it.

A backbone is judged by another (`nstcli.metrics.judgement.judge_of`). Content and style errors of
different judges are different quantities: they are never ranked together. Whoever sees the other
figures is the same for all.
"""
