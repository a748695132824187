"""ChatModel: a language model in a folder of this machine, through transformers. Nothing is downloaded.

It answers one task, over and over. So what every question begins with is read once, when it is loaded: on a CPU core
that is most of the work. The task stands in the user's message, as not every chat template knows a system's.

Importing this module is cheap; torch and transformers come with `ChatModel.load`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_retouch.errors import WeightsError

if TYPE_CHECKING:
    import torch

MOST_TOKENS = 400
"""Tokens that an answer may have."""
_REMEDY = (
    "name a folder that a causal language model was saved to by save_pretrained, with its tokenizer"
)


class ChatModel:
    """A causal language model that is asked one thing. Call from one thread at a time."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        task: str,
        beginning: str = "",
        most_tokens: int = MOST_TOKENS,
    ) -> None:
        """
        Args:
            model: of transformers, ready to generate; its generation settings are replaced by greedy ones.
            tokenizer: of transformers; with a chat template, that is used.
            task: what comes before every question.
            beginning: what every answer begins with; the model goes on from there.
        """
        from transformers import GenerationConfig

        self._model, self._tokenizer = model, tokenizer
        self._task, self._beginning = task, beginning
        end = model.generation_config.eos_token_id
        settings: Any = GenerationConfig
        self._model.generation_config = settings(
            max_new_tokens=most_tokens,
            do_sample=False,
            eos_token_id=end if end is not None else tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id or 0,  # batches of one: never looked at
        )
        self._known, self._cache = self._read()

    @classmethod
    def load(
        cls, folder: Path, task: str, beginning: str = "", most_tokens: int = MOST_TOKENS
    ) -> ChatModel:
        """The model of a folder, on the CPU; code in the folder is not run.

        Raises:
            WeightsError: there is no such folder, or no causal language model with all its weights in it.
        """
        if not (folder / "config.json").is_file():
            reason = "no config.json in it" if folder.is_dir() else "no such folder"
            raise WeightsError(str(folder), reason, _REMEDY)
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        alone: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        tokenizers: Any = AutoTokenizer
        models: Any = AutoModelForCausalLM
        try:
            tokenizer = tokenizers.from_pretrained(folder, **alone)
            model, told = models.from_pretrained(
                folder, dtype="auto", use_safetensors=True, output_loading_info=True, **alone
            )
            if told["missing_keys"] or told["mismatched_keys"]:
                raise ValueError("weights are missing")
            return cls(model.eval(), tokenizer, task, beginning, most_tokens)
        except Exception as problem:  # what is no model is met with any exception there is
            reason = f"no language model that transformers can load ({type(problem).__name__})"
            raise WeightsError(str(folder), reason, _REMEDY) from problem

    def answer(self, question: str, enough: Callable[[str], bool]) -> str:
        """What the model says, `beginning` included.

        Args:
            enough: told the answer so far after each token; True ends it.
        """
        import torch
        from transformers import StoppingCriteriaList

        asked_1T = self._tokens(question)
        count = asked_1T.shape[1]

        def ends(tokens_1T: torch.Tensor, _: object, **other: object) -> torch.Tensor:
            return torch.tensor([enough(self._text(tokens_1T[0, count:]))])

        known = self._known.shape[1]
        same = 0 < known < count and torch.equal(asked_1T[:, :known], self._known)
        with torch.inference_mode():
            tokens_1T = self._model.generate(
                asked_1T,
                attention_mask=torch.ones_like(asked_1T),
                past_key_values=copy.deepcopy(self._cache) if same else None,
                stopping_criteria=StoppingCriteriaList([ends]),
            )
        return self._text(tokens_1T[0, count:])

    def _read(self) -> tuple[torch.Tensor, Any]:
        """The tokens that every question begins with, and what the model keeps of them; None if it keeps nothing."""
        import torch

        one, other = self._tokens("a")[0], self._tokens("{")[0]
        short = min(len(one), len(other))
        differ = (one[:short] != other[:short]).nonzero()
        known_1T = other[None, : int(differ[0]) if len(differ) else 0]
        if not known_1T.shape[1]:
            return known_1T, None
        with torch.inference_mode():
            return known_1T, getattr(self._model(known_1T, use_cache=True), "past_key_values", None)

    def _tokens(self, question: str) -> torch.Tensor:
        """(1, T) of everything before the model's own words."""
        said = f"{self._task}\n\n{question}"
        if self._tokenizer.chat_template:
            said = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": said}], tokenize=False, add_generation_prompt=True
            )
            whole = said + self._beginning  # the template writes the special tokens itself
            read = self._tokenizer(whole, return_tensors="pt", add_special_tokens=False)
        else:
            read = self._tokenizer(f"{said}\n\nAnswer:\n{self._beginning}", return_tensors="pt")
        tokens_1T: torch.Tensor = read["input_ids"]
        return tokens_1T

    def _text(self, tokens: torch.Tensor) -> str:
        said: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return self._beginning + said
