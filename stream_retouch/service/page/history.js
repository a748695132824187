// The turns so far as a list, newest at the bottom: what was said and what came of it.

import { HOW } from "./words.js";

const MOST_TURNS = 50;
const NEAR_PX = 40;

export class History {
  // parts: list, title (elements), onUndo()
  constructor({ list, title, onUndo }) {
    this.list = list;
    this.title = title;
    this.onUndo = onUndo;
    this.turns = []; // {kind: typed|spoken|hand, text, status: waiting|asked|done|shown|refused, reply, version, item}
    this.following = true;
    list.addEventListener("scroll", () => {
      this.following = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX;
    });
  }

  add(kind, text) {
    const turn = { kind, text, status: "waiting", reply: "", version: 0 };
    turn.item = document.createElement("li");
    turn.item.dataset.kind = kind;
    const said = document.createElement("p");
    said.className = "said";
    turn.words = document.createElement("span");
    said.append(turn.words);
    if (HOW[kind]) {
      const how = document.createElement("small");
      how.textContent = HOW[kind];
      said.append(how);
    }
    turn.line = document.createElement("p");
    turn.line.className = "answer";
    turn.item.append(said, turn.line);
    if (kind === "spoken") said.append(this.#undo(turn));
    this.reword(turn, text);
    this.#append(turn);
    return turn;
  }

  reword(turn, text) {
    turn.text = text;
    turn.words.textContent = text;
  }

  // The status and the line below the words; `time` comes after it and is not remembered.
  mark(turn, status, text = "", time = "") {
    turn.status = status;
    if (status === "done" || status === "refused") turn.reply = text;
    turn.item.dataset.status = status;
    turn.line.textContent = (text || "…") + time;
    this.#offerUndo();
    this.#follow();
  }

  get newest() {
    return this.turns.at(-1);
  }

  get waiting() {
    return this.turns.find((turn) => turn.status === "waiting");
  }

  #append(turn) {
    this.turns.push(turn);
    this.list.append(turn.item);
    const answered = (one) => one.status !== "waiting" && one.status !== "asked";
    while (this.turns.length > MOST_TURNS && answered(this.turns[0])) this.turns.shift().item.remove();
    this.title.hidden = false;
    this.#follow();
  }

  #undo(turn) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quick";
    button.hidden = true;
    button.textContent = "Undo";
    button.setAttribute("aria-label", `Undo what was heard: ${turn.text}`);
    button.addEventListener("click", () => this.onUndo());
    return button;
  }

  // A spoken turn can be taken back where it stands, while it is the last one that was carried out.
  #offerUndo() {
    const last = this.turns.findLast((turn) => turn.status !== "refused");
    for (const turn of this.turns) {
      const button = turn.item.querySelector(".quick");
      if (button) button.hidden = turn !== last || !["done", "shown"].includes(turn.status);
    }
  }

  // The newest turn stays in view unless one has scrolled up to read.
  #follow() {
    if (this.following) this.list.scrollTop = this.list.scrollHeight;
  }
}
