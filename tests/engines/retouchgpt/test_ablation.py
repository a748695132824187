"""Each part can be switched off, and then it has no say."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from engines.retouchgpt.ablation import PARTS, ablated  # noqa: E402
from engines.retouchgpt.config import RetouchGPTConfig  # noqa: E402
from engines.retouchgpt.model import RetouchGPT  # noqa: E402


@pytest.fixture(scope="module")
def model() -> RetouchGPT:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    config = RetouchGPTConfig(widths=(8, 8, 8), language_width=32, language_layers=1)
    return RetouchGPT(config).eval()


def crops() -> torch.Tensor:
    return torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))


def request(amount: float = 0.5) -> torch.Tensor:
    asked = torch.zeros(1, 17, 32, 32)
    asked[:, 3, 8:24, 8:24] = amount
    return asked


def answers(model: RetouchGPT, words: list[int]) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        out, e = model(crops(), request(), torch.tensor([words]), torch.ones(1))
    return out.layer, out.mask, e.f_txt, e.alpha, e.beta, e.gamma


def test_without_iip_the_mask_is_the_requested_map(model: RetouchGPT) -> None:
    mask = answers(ablated(model, "iip"), [1, 3, 10, 2])[1][0, 0]
    assert torch.allclose(mask[40:88, 40:88], torch.tensor(0.5))
    assert float(mask[:24].max()) == 0.0
    assert not torch.allclose(answers(model, [1, 3, 10, 2])[1][0, 0], mask)


def test_without_lbe_the_conditioning_is_neutral_and_the_text_is_still_read(
    model: RetouchGPT,
) -> None:
    _, _, f_txt, alpha, beta, gamma = answers(ablated(model, "lbe"), [1, 3, 10, 2])
    assert bool((alpha == 1).all()) and not beta.any() and not gamma.any()
    assert f_txt.any()


def test_without_text_other_words_change_nothing(model: RetouchGPT) -> None:
    silent = ablated(model, "text")
    some, others = answers(silent, [1, 3, 10, 2]), answers(silent, [1, 4, 12, 13, 14, 2])
    assert not some[2].any()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(some, others, strict=True))
    heard = answers(model, [1, 3, 10, 2]), answers(model, [1, 4, 12, 13, 14, 2])
    assert not torch.allclose(heard[0][2], heard[1][2], atol=1e-6)


def test_the_network_itself_stays_whole(model: RetouchGPT) -> None:
    before = answers(model, [1, 3, 10, 2])
    for part in PARTS:
        ablated(model, part)
    assert all(
        torch.equal(a, b) for a, b in zip(before, answers(model, [1, 3, 10, 2]), strict=True)
    )


def test_weights_are_named_as_in_the_whole_network(model: RetouchGPT) -> None:
    for part in PARTS:
        assert ablated(model, part).state_dict().keys() == model.state_dict().keys()


def test_a_part_that_is_not_there_is_refused(model: RetouchGPT) -> None:
    with pytest.raises(ValueError, match="iip, lbe, text"):
        ablated(model, "head")
