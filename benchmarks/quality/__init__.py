"""How well it retouches. ``python -m benchmarks.quality`` measures; here stands what each figure means.

Portraits of persons whom the network was not trained on go through the frame path that serves, at the pictures' native
resolution: finder, landmarks, crop, engine, paste. All pictures pass 4:2:0 alike, so that chroma subsampling is
nobody's fault. Errors are RGB code values, pooled over all scenes. *Asked*: the greatest channel of |source - target|;
*painted*: of |source - clean|.

Painted marks (`views`, `sums`, `masks`):

* ``masked_psnr_gain_db``: PSNR to the target where more than 8 was asked, over doing nothing.
* ``clean_psnr_db``: PSNR to the source on face pixels where at most 1 was asked and painted.
* ``named_removed``: 1 - sum|out - target| / sum|source - target| where more than 8 was asked;
  ``worst_kind_removed``: the same over the pixels of each kind (coverage above 0.3), the worst of them.
* ``unnamed_changed``: sum|out - source| / sum|source - clean| where more than 8 was painted and at most 1 asked.
* ``kept_changed``: the same sums over pixels inside kept (category, region) pairs: a kind that the plan's keeps name is
  painted there (coverage above 0.3), the region maps of its kept regions are above 0.5, at most 1 was asked.
* ``soft_iou``, ``mask_ssim``: M_s as the engine gave it against M_gt = clip(asked / 8, 0, 1), area means in the cells
  of the layer, mean over scenes. Soft-IoU as in the authors' code: with A = M_s > 128/255 and B = M_gt > 128/255,
  I = sum over A and B of (M_s + M_gt) / 2, U = sum of M_s on A + sum of M_gt on B - I, I / U.
* ``ssim``: structural similarity (scikit-image, 7x7) to the target in the face's square, mean over scenes.
* ``lpips``: LPIPS 0.1 with AlexNet to the target in the same square, where its weights are at hand.
* ``amount_monotone``: share of faces where "all blemishes" at 0.25, 0.5, 0.75 and 1 comes nearer to the target of the
  whole amount each time (`monotone`).
* ``tone_gap_db``: gain of the lightest third of persons less that of the darkest, by ITA angle (`tones`).

Unpainted portraits, "remove all blemishes" (`real`, `blobs`, `identity`):

* ``real_blob_energy``: energy of dark and red blobs, found on the source, at the same places, over the source's.
* ``texture_kept``: high-frequency energy of clear skin over the source's.
* ``identity_cosine``: MobileFaceNet's likeness to the source.

A perfect filter removes 1 and changes 0. Rows: doing nothing, three classical filters at their best setting (`filters`,
`tune`), ours, with ``--ablations`` ours without one of its parts, and with ``--through-words`` ours where each plan is
put into plain English (`words`) and the planner that serves makes a plan of it again, from an empty dialogue
(`through_words`): ``plan_accuracy`` is the share that came back right by the schema's rules, amounts within 0.1. The
row is to lie within 0.3 dB of gain and 0.02 of removed and unnamed of the one that the plans drive.
"""
