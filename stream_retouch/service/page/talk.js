// Words and chips on their way to the service, one at a time and in order, so that nothing is lost when the service
// goes away: after a new connection the look is set as it was, then what still waits is said.

import { changed, keyed } from "./chips.js";
import { chipName, examplesFor } from "./words.js";

const EMPTY = { edits: [], keep: [] };
const CHANGE_EVERY_MS = 200;
const ANSWER_MS = 15000;
const KEPT = "kept until the service is there";

export class Talk {
  // parts: form, words, examples, reply, undo, redo (elements), chips, history, send(message) -> its id or ""
  constructor(parts) {
    Object.assign(this, parts);
    this.plan = EMPTY; // the look that is on, or will be once `asked` is answered
    this.changes = new Map(); // of chips, not sent yet (see chips.js)
    this.changing = []; // the turns of these changes
    this.changedAt = 0;
    this.online = false;
    this.restore = false;
    this.unsure = false; // whether the service has done what was asked for last
    this.asked = null; // the turn whose answer is awaited
    this.heardTurns = []; // spoken turns that the service carries out by itself
    this.timer = 0;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.words.value.trim();
      if (!text) return;
      this.words.value = "";
      this.say(text);
    });
    this.undo.addEventListener("click", () => this.say("Undo"));
    this.redo.addEventListener("click", () => this.say("Redo"));
    this.chips.hooks = {
      onAmount: (key, amount) => this.#change(key, amount),
      onRemove: (key) => this.#change(key, null),
    };
    this.#show();
  }

  say(text, kind = "typed") {
    const turn = this.history.add(kind, text);
    this.history.mark(turn, "waiting", this.online ? "" : KEPT);
    this.#next();
  }

  // `resumed`: the service still has the look, and knows the turns. Then the look is set only where an answer was
  // lost, so that nothing is done twice.
  connected(resumed) {
    this.online = true;
    this.restore = resumed ? this.unsure : this.plan.edits.length + this.plan.keep.length > 0;
    this.unsure = false;
    this.#next();
  }

  disconnected() {
    this.online = false;
    this.unsure ||= this.restore || Boolean(this.asked) || this.heardTurns.length > 0;
    for (const turn of [this.asked, ...this.heardTurns]) {
      // A chip's change is in `plan` already.
      if (turn?.item) this.history.mark(turn, turn.kind === "hand" ? "done" : "waiting", KEPT);
    }
    this.asked = null;
    this.heardTurns = [];
  }

  // Says something that is no answer.
  tell(text) {
    this.#showReply(text, false);
  }

  receive(message) {
    if (message.type === "plan") this.#understood(message);
    else if (message.type === "rejected" || message.type === "error") this.#refused(message);
    else if (message.type === "applied") this.#applied(message);
    else if (message.type === "heard" && message.final && message.text) this.#heard(message.text);
    else if (message.type === "state" && message.plan && !this.history.newest && !this.changes.size) {
      this.#setPlan(message.plan);
    }
  }

  #heard(text) {
    const turn = this.history.add("spoken", text);
    this.history.mark(turn, "asked");
    this.heardTurns.push(turn);
    this.#expectAnswer(turn);
  }

  #change(key, amount) {
    const [, kind, part] = keyed(changed(this.plan, this.changes)).find(([one]) => one === key) ?? [];
    if (!part) return;
    const name = chipName(kind, part);
    const text = amount === null ? `Take away: ${name}` : `${name} to ${Math.round(100 * amount)} %`;
    const last = this.history.newest;
    const goesOn = amount !== null && last?.key === key && last.status !== "refused";
    const turn = goesOn ? last : this.history.add("hand", text);
    turn.key = amount === null ? "" : key;
    this.history.reword(turn, text);
    this.history.mark(turn, "asked");
    if (!this.changing.includes(turn)) this.changing.push(turn);
    this.changes.set(key, amount);
    this.#show();
    this.#next();
  }

  #next() {
    if (!this.online || this.asked || this.heardTurns.length) return;
    if (this.restore) {
      const id = this.send({ type: "set_plan", plan: this.plan });
      if (!id) return;
      this.restore = false;
      this.asked = { id };
      this.#expectAnswer(this.asked);
      return;
    }
    const turn = this.history.waiting;
    if (this.changes.size) {
      const wait = this.changedAt + CHANGE_EVERY_MS - performance.now();
      clearTimeout(this.timer);
      if (wait > 0 && !turn) this.timer = setTimeout(() => this.#next(), wait);
      else this.#sendChanges();
      return;
    }
    if (!turn) return;
    turn.id = this.send({ type: "instruct", text: turn.text });
    if (!turn.id) return;
    this.asked = turn;
    this.history.mark(turn, "asked");
    this.#expectAnswer(turn);
  }

  // The newest amounts of all chips, as one message.
  #sendChanges() {
    const plan = changed(this.plan, this.changes);
    const id = this.send({ type: "set_plan", plan });
    if (!id) return;
    const turn = this.changing.pop();
    for (const other of this.changing) this.history.mark(other, "done", "Together with the next.");
    this.changing = [];
    this.changes.clear();
    Object.assign(turn, { id, before: this.plan });
    this.plan = plan;
    this.changedAt = performance.now();
    this.asked = turn;
    this.#expectAnswer(turn);
  }

  // A service that never answers must not hold up what is said next.
  #expectAnswer(turn) {
    const { id } = turn;
    setTimeout(() => {
      const awaited = this.asked === turn || this.heardTurns.includes(turn);
      if (awaited && turn.id === id) {
        this.#refused({ id, spoken: turn !== this.asked, reason: "No answer came from the service; say it again." });
      }
    }, ANSWER_MS);
  }

  #answered({ id, spoken }) {
    if (spoken) return this.heardTurns.shift() ?? null;
    if (!this.asked || this.asked.id !== id) return null;
    const turn = this.asked;
    this.asked = null;
    return turn;
  }

  #understood(message) {
    const turn = this.#answered(message);
    this.#setPlan(message.plan);
    const more = this.changing.includes(turn); // it is being dragged on
    if (turn?.item && !more) {
      turn.version = message.version;
      this.history.mark(turn, "done", message.reply);
    }
    const restored = turn && !turn.item;
    if (!restored && !more && !this.chips.dragging) this.#showReply(message.reply, false);
    this.#next();
  }

  #refused(message) {
    const turn = this.#answered(message);
    if (!turn) return;
    if (turn.kind === "hand") this.#setPlan(turn.before);
    this.#showReply(message.reason, true);
    if (turn.item && !this.changing.includes(turn)) this.history.mark(turn, "refused", message.reason);
    this.#next();
  }

  #applied({ version, took_ms: tookMs }) {
    for (const turn of this.history.turns) {
      if (turn.status !== "done" || turn.version > version) continue;
      const time = turn.version === version && Number.isFinite(tookMs) ? ` (shown in ${Math.round(tookMs)}\u00a0ms)` : "";
      this.history.mark(turn, "shown", turn.reply, time);
    }
  }

  #setPlan({ edits = [], keep = [] }) {
    this.plan = { edits, keep };
    this.#show();
  }

  #showReply(text, refused) {
    this.reply.textContent = text ?? "";
    this.reply.classList.toggle("refused", refused);
  }

  #show() {
    const plan = changed(this.plan, this.changes);
    this.chips.show(plan);
    this.#showExamples(examplesFor(plan));
  }

  #showExamples(texts) {
    if (this.shownExamples === texts) return;
    this.shownExamples = texts;
    const focused = this.examples.contains(document.activeElement);
    this.examples.replaceChildren(
      ...texts.map((text) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "example";
        button.textContent = text;
        button.addEventListener("click", () => this.say(text));
        item.append(button);
        return item;
      }),
    );
    if (focused) this.examples.querySelector("button")?.focus();
  }
}
