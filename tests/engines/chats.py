"""What tests of planners by foreign models share: a turn, an op, a tiny model and one that is told what to say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stream_retouch.language.plan import Dialogue, InstructionPlan

SAID = "take the blotches off my snout"
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
)


class Own:
    """The planner that speaks when the model does not."""

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        return InstructionPlan(action="reject"), "own"


def op(act: str = "edit", kind: str | None = "uneven_tone", **other: Any) -> dict[str, Any]:
    values = {"places": ["nose"], "amount": None, "soft": False, "scale": None, "beyond": None}
    return {"act": act, "kind": kind, **values, **other}


def tokenizer(template: str | None = TEMPLATE) -> Any:
    """One that knows bytes only."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    signs = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bytes_only = Tokenizer(models.BPE({sign: n for n, sign in enumerate(signs)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    made: Any = PreTrainedTokenizerFast
    one = made(tokenizer_object=bytes_only, bos_token="<s>", eos_token="</s>")
    one.chat_template = template
    return one


def save_llama(folder: Path, template: str | None = TEMPLATE, headless: bool = False) -> None:
    """A Llama with random weights that speaks nonsense, with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=8192,
    )
    model: Any = (LlamaModel if headless else LlamaForCausalLM)(config)
    model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)


class Scripted:
    """In the place of a model of transformers: writes what it is told to, byte by byte."""

    def __init__(self, says: str) -> None:
        self.says, self.asked = says, ""
        self.wrote = 0
        self.generation_config = SimpleNamespace(eos_token_id=1)
        self._tokenizer = tokenizer()

    def __call__(self, tokens: Any, use_cache: bool) -> object:
        return object()  # keeps nothing of what it read

    def generate(self, tokens: Any, stopping_criteria: Any, **settings: Any) -> Any:
        import torch

        self.asked = self._tokenizer.decode(tokens[0])
        for number in self._tokenizer.encode(self.says, add_special_tokens=False):
            self.wrote += 1
            tokens = torch.cat([tokens, torch.tensor([[number]])], dim=1)
            if bool(stopping_criteria(tokens, None).all()):
                break
        return tokens
