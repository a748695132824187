"""RetouchGPT (Xue et al., AAAI 2025), its named parts kept, cut to about a thousandth of the published cost.

One part a file, nn.Module only: `encoder` E_img, `imperfection` I (eq. 2), `prompt` E_txt, P, LLM and G_ctrl
(eq. 3 and 4), `retoucher` R (eq. 5 and 6), `decoder` D (the edit layer), `model` the parts put together,
`serving` what engines run of them.
"""
