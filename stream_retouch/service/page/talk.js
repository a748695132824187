// Words: the text box, the plan as chips, the reply, the turns. Every instruction waits in `turns` until the
// service has answered it, one at a time and in order, so nothing typed is lost when the service goes away: after a
// new connection the turns that were understood are said again, which brings the same look back.

import { EXAMPLES, categoryName, matters, placeName, wordsWithout } from "./words.js";

const keyOf = ({ category, regions }) => `${category} ${regions}`;
const EMPTY = { edits: [], keep: [] };

export class Talk {
  // parts: form, words, examples, plan, reply, turns, title (elements), send(message) -> its id or ""
  constructor(parts) {
    Object.assign(this, parts);
    this.list = []; // {text, status: waiting|asked|done|shown|refused, reply, version, plan, item, line}
    this.planNow = EMPTY;
    this.planBefore = EMPTY;
    this.online = false;
    this.asked = null;
    this.takenAway = new Set(); // edits whose chip was clicked away: the keep that does it is no news
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.words.value.trim();
      if (!text) return;
      this.words.value = "";
      this.say(text);
    });
    this.examples.replaceChildren(...EXAMPLES.map((text) => this.#example(text)));
    this.#showPlan();
  }

  say(text) {
    const turn = { text, status: "waiting", reply: "", version: 0, again: false };
    this.list.push(turn);
    this.#addItem(turn);
    this.#next();
  }

  connected() {
    this.online = true;
    for (const turn of this.list) {
      if (turn.status === "done" || turn.status === "shown" || turn.status === "asked") {
        turn.again = turn.status !== "asked";
        this.#mark(turn, "waiting", turn.again ? "saying it again" : "");
      }
    }
    this.planNow = EMPTY;
    this.planBefore = EMPTY;
    this.#next();
  }

  disconnected() {
    this.online = false;
    this.asked = null;
  }

  receive(message) {
    if (message.type === "plan") this.#understood(message);
    else if (message.type === "rejected" || message.type === "error") this.#refused(message);
    else if (message.type === "applied") this.#applied(message);
    else if (message.type === "state" && !this.list.length && message.plan) {
      this.planNow = { edits: message.plan.edits ?? [], keep: message.plan.keep ?? [] };
      this.#showPlan();
    }
  }

  #next() {
    if (!this.online || this.asked) return;
    const turn = this.list.find((one) => one.status === "waiting");
    if (!turn) return;
    turn.id = this.send({ type: "instruct", text: turn.text });
    if (!turn.id) return;
    this.asked = turn;
    this.#mark(turn, "asked", turn.again ? "saying it again" : "");
  }

  #understood({ id, plan, reply, version }) {
    const turn = this.asked?.id === id ? this.asked : null;
    this.planBefore = this.planNow;
    this.planNow = { edits: plan.edits ?? [], keep: plan.keep ?? [] };
    this.#showPlan();
    this.#showReply(reply, false);
    if (!turn) return; // said by another client of this session
    turn.version = version;
    this.asked = null;
    this.#mark(turn, "done", reply);
    this.#next();
  }

  #refused({ id, reason }) {
    if (!this.asked || this.asked.id !== id) return;
    const turn = this.asked;
    this.asked = null;
    this.#showReply(reason, true);
    this.#mark(turn, "refused", reason);
    this.#next();
  }

  #applied({ version, took_ms: tookMs }) {
    for (const turn of this.list) {
      if (turn.status !== "done" || turn.version > version) continue;
      const time = turn.version === version && !turn.again && Number.isFinite(tookMs) ? ` (shown in ${Math.round(tookMs)}\u00a0ms)` : "";
      this.#mark(turn, "shown", turn.reply, time);
    }
  }

  #showReply(text, refused) {
    this.reply.textContent = text ?? "";
    this.reply.classList.toggle("refused", refused);
  }

  // ---- elements

  #example(text) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "example";
    button.textContent = text;
    button.addEventListener("click", () => this.say(text));
    item.append(button);
    return item;
  }

  #addItem(turn) {
    turn.item = document.createElement("li");
    const words = document.createElement("p");
    words.className = "said";
    words.textContent = turn.text;
    turn.line = document.createElement("p");
    turn.line.className = "answer";
    turn.item.append(words, turn.line);
    this.turns.prepend(turn.item);
    this.title.hidden = false;
    this.#mark(turn, "waiting", this.online ? "" : "kept until the service is there");
  }

  #mark(turn, status, text, time = "") {
    turn.status = status;
    turn.reply = status === "done" || status === "refused" ? text : turn.reply;
    turn.item.dataset.status = status;
    turn.line.textContent = (text || "…") + time;
  }

  #showPlan() {
    const { edits, keep } = this.planNow;
    const kept = keep.filter((chip) => !this.takenAway.has(keyOf(chip)) || matters(chip, this.planNow));
    const chips = [...edits.map((chip) => this.#chip(chip, "edit")), ...kept.map((chip) => this.#chip(chip, "keep"))];
    if (!chips.length) {
      const none = document.createElement("li");
      none.className = "none";
      none.textContent = "Nothing yet: your face as it is.";
      chips.push(none);
    }
    this.plan.replaceChildren(...chips);
  }

  #chip(chip, kind) {
    const item = document.createElement("li");
    item.className = `chip ${kind}`;
    const name = categoryName(chip.category);
    const place = placeName(chip.regions);
    const label = document.createElement("span");
    label.textContent = (kind === "keep" ? `Keep ${name.toLowerCase()}` : name) + (place ? ` · ${place}` : "");
    item.append(label);
    if (kind === "edit") {
      const amount = document.createElement("b");
      const percent = Math.round(100 * chip.amount);
      amount.textContent = `${percent} %`;
      item.style.setProperty("--amount", `${percent}%`);
      item.append(amount);
    }
    const remove = document.createElement("button");
    remove.type = "button";
    remove.setAttribute("aria-label", `Take away: ${label.textContent}`);
    const words = wordsWithout(chip, this.planNow, this.planBefore);
    remove.title = words.join(". ");
    remove.addEventListener("click", () => {
      if (kind === "edit") this.takenAway.add(keyOf(chip));
      for (const text of words) this.say(text);
    });
    item.append(remove);
    return item;
  }
}
