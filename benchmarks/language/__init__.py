"""How well words are understood: ``python -m benchmarks.language --instructions FILE.jsonl``; the last line is JSON.

Every item's turns go in order through the planner that the command line starts (or ``--planner``), with
``language.dialogue.advance`` between them. What is scored is what the session tells its user after the last turn: the
look that is on, under that turn's action. What counts as right is told by `training.language.plan_scoring`.

* ``plan_accuracy``: share of right plans, all kinds but spoken_errors; ``plan_accuracy_spoken``: of spoken_errors.
  A perfect planner has 1. ``lowest_kind``: the typed kind with the least share, ``lowest_kind_accuracy``.
* Where a wrong plan fails, against the expected plan that it comes nearest to (`faults`): ``amounts``: it would be
  right with other amounts; ``keeps``: with other amounts and the expected keeps added; ``pairs``: neither, though the
  action is right; ``action``: the action is another.
* ``rouge1``: words shared by the reply and one made from the expected plan (`rouge`), mean over items. The latter
  names the whole look, the reply what its turn changed: in dialogues even a perfect planner stays below 1.
* ``plan_ms``: process CPU milliseconds of the planner a turn, median over all turns; ``prepare_ms``: of the conditioner
  on the look after the last turn, without a key frame, median over the items that are not rejected (a session prepares
  nothing for those). One torch thread. ``turn_ms``: their sum. Beside them the 95th percentiles.
* ``language_weights_mb``: the planner's weights files and the tensors of the network's language part (E_txt, P, the
  LLM, G_ctrl), 10^6 bytes.
"""
