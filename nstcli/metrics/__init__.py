"""Numbers that say how a picture turned out: tensors in, numbers out; no paths, no printing.

A loss that was minimised says little about the picture: it was the very thing that the optimizer
was free to fool. So a picture is judged by another backbone than the one that made it
(`judgement.judge_of`), by measures that nothing was optimized for, and always next to the two
pictures that anybody gets for nothing (`judgement.Comparison`): the content as it was, which keeps
everything and takes on nothing, and the style resized to its shape, the other way round. A good
result is nearer to the style than the first and nearer to the content than the second. Between
them a number has a scale; alone it has none.

Near to the content:

* **content_error** (`relative`), 0 when equal, 1 when nothing is left, more with other things in
  its place. The engine's content term under the judging backbone. It says whether the same things
  are seen at the same places. It cannot say whether a difference is damage or brush stroke, so 0
  is not the aim.
* **lpips** (`lpips`), 0 when equal. How different the two look to people who are shown small
  patches of them. It was fitted to blur, noise and compression, not to paintings: a fine painting
  and a spoiled photo may have the same figure.
* **ssim** (`ssim`), 1 when equal. Whether edges and contrasts of the luminance are where they
  were. Blind to colour, strict about texture, so that every strong style lowers it.

Near to the style:

* **style_error** (`relative`), 0 when equal, 1 when nothing is there, more with other textures in
  its place. The engine's style term under the judging backbone: Gram matrices. The strongest
  channels rule it, and since the picture may have been optimized for Gram matrices, even another
  network's judgement is not independent.
* **frechet** (`frechet`), 0 when equal, 1 when nothing is there. Compares the distribution of
  the activations, average and spread apart, so that weak channels count as well. It knows nothing
  of where a texture is, nor of shapes larger than what one activation sees.
* **color** (`color`), 0 when equal, in units of CIELAB. How far one palette is from the other as
  a whole. It cannot tell which thing has which colour, nor two pure colours from their mixtures.

None of them says whether a picture is beautiful. Compare figures of one judge, one size and one
pair; averages over many pairs can be compared between programs, single figures mislead.
"""
