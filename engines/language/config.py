"""Shape of the planner's network, as it stands in the JSON beside its weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """Sizes; a field that is added keeps old files readable by its default."""

    vocabulary: int = 3584
    """Types of the tokenizer at most."""
    width: int = 192
    """W of the text encoder and of the LLM."""
    heads: int = 6
    feed_forward: int = 512
    encoder_layers: int = 4
    llm_layers: int = 4
    queries: int = 24
    """Q: learned prompts whose last states are f_r, all that the plan's tokens see of the words."""
    most_words: int = 128
    """Tokens of a turn; a longer one is cut."""
    most_steps: int = 56
    """Tokens of a program."""
    sentence_layers: int = 0
    """Layers of the sentence encoder beside E_txt; 0: there is none."""
    sentence_vocabulary: int = 0
    """Its word pieces."""
    sentence_width: int = 384
    """Its width."""
