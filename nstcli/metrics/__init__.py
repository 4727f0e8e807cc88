"""Numbers that say how a picture turned out: tensors in, numbers out; no paths, no printing.

A loss that was minimised says little about the picture: it was the very thing that the optimizer
was free to fool. So a picture is judged by another backbone than the one that made it
(`judgement.judge_of`), by measures that nothing was optimized for, and always next to the two
pictures that anybody gets for nothing (`judgement.Comparison`): the content as it was, which keeps
everything and takes on nothing, and the style resized to its shape, the other way round. A good
result is nearer to the style than the first and nearer to the content than the second. Between
them a number has a scale; alone it has none.

What the figures are called, and what each can tell and cannot, is in `nstcli.measures`; a module
here has the formula of each. Beside the judge, whose family may have painted, a witness that looks
at pictures quite differently (`judgement.witness_of`) sees to structure and to strokes.

None of them says whether a picture is beautiful. Compare figures of one judge, one size and one
pair; averages over many pairs can be compared between programs, single figures mislead.
"""
