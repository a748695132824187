// The plan as chips. An edit is a slider: drag it, or use the arrow keys. A cross takes a chip away. Elements stay
// while their part of the plan does, so that a chip can be dragged while answers come in.

import { chipName } from "./words.js";

const STEP = 5;
const LEAP = 20;

// [key, "edit" | "keep", part] of every part of a plan. Keys stay the same while only amounts change.
export function keyed(plan) {
  const seen = new Map();
  const named = (kind) => (part) => {
    const name = `${kind} ${part.category} ${part.regions}`;
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return [count ? `${name} ${count}` : name, kind, part];
  };
  return [...plan.edits.map(named("edit")), ...plan.keep.map(named("keep"))];
}

// The plan after `changes`: key -> the new amount 0..1, or null for a chip that goes. Unknown keys change nothing.
export function changed(plan, changes) {
  const parts = keyed(plan).filter(([key]) => changes.get(key) !== null);
  const now = ([key, , part]) => (changes.has(key) ? { ...part, amount: changes.get(key) } : part);
  return {
    edits: parts.filter(([, kind]) => kind === "edit").map(now),
    keep: parts.filter(([, kind]) => kind === "keep").map(([, , part]) => part),
  };
}

export class Chips {
  // `hooks` is to be set: onAmount(key, amount 0..1), onRemove(key)
  constructor(list) {
    this.list = list;
    this.items = new Map();
    this.none = document.createElement("li");
    this.none.className = "none";
    this.none.textContent = "Nothing yet: your face as it is.";
    list.replaceChildren(this.none);
  }

  // Whether a chip is under the finger now.
  get dragging() {
    return this.list.querySelector(".chip.dragging") !== null;
  }

  show(plan) {
    const parts = keyed(plan);
    const keys = new Set(parts.map(([key]) => key));
    for (const [key, item] of this.items) {
      if (keys.has(key)) continue;
      item.remove();
      this.items.delete(key);
    }
    parts.forEach(([key, kind, part], place) => {
      if (!this.items.has(key)) this.items.set(key, this.#chip(key, kind, part));
      const item = this.items.get(key);
      if (kind === "edit") setAmount(item, part.amount);
      const before = [...this.list.querySelectorAll(".chip")][place];
      if (before !== item) this.list.insertBefore(item, before ?? null);
    });
    this.none.hidden = parts.length > 0;
  }

  #chip(key, kind, part) {
    const item = document.createElement("li");
    item.className = `chip ${kind}`;
    const name = chipName(kind, part);
    const label = document.createElement("span");
    label.textContent = name;
    item.append(kind === "edit" ? this.#slider(key, name, label, item) : label);
    const remove = document.createElement("button");
    remove.type = "button";
    remove.title = "Take away";
    remove.setAttribute("aria-label", `Take away: ${name}`);
    remove.addEventListener("click", () => this.#remove(key, item));
    item.append(remove);
    return item;
  }

  #slider(key, name, label, item) {
    const slider = document.createElement("div");
    slider.className = "amount";
    slider.tabIndex = 0;
    slider.title = "Drag, or use the arrow keys, to change how much";
    for (const [attribute, value] of Object.entries({
      "role": "slider", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": "100",
    })) slider.setAttribute(attribute, value);
    slider.append(label, document.createElement("b"));
    const set = (percent) => {
      const amount = Math.min(100, Math.max(0, Math.round(percent))) / 100;
      if (amount === Number(item.dataset.amount)) return;
      setAmount(item, amount);
      this.hooks.onAmount(key, amount);
    };
    this.#drag(slider, item, set);
    const moves = {
      ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP,
      PageDown: -LEAP, PageUp: LEAP, Home: -100, End: 100,
    };
    slider.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") this.#remove(key, item);
      else if (moves[event.key]) set(100 * Number(item.dataset.amount) + moves[event.key]);
      else return;
      event.preventDefault();
    });
    return slider;
  }

  // The chip's own width is the whole way from 0 to 100 %, as its bar shows it; a tap alone changes nothing.
  #drag(slider, item, set) {
    let from = null;
    slider.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      slider.setPointerCapture(event.pointerId);
      from = { x: event.clientX, percent: 100 * Number(item.dataset.amount), width: item.offsetWidth };
    });
    slider.addEventListener("pointermove", (event) => {
      if (!from || !slider.hasPointerCapture(event.pointerId)) return;
      item.classList.add("dragging");
      set(from.percent + (100 * (event.clientX - from.x)) / from.width);
    });
    slider.addEventListener("lostpointercapture", () => {
      from = null;
      item.classList.remove("dragging");
    });
  }

  #remove(key, item) {
    const neighbour = item.nextElementSibling ?? item.previousElementSibling;
    this.hooks.onRemove(key);
    neighbour?.querySelector("button")?.focus();
  }
}

function setAmount(item, amount) {
  const percent = Math.round(100 * amount);
  item.dataset.amount = String(amount);
  item.style.setProperty("--amount", `${percent}%`);
  item.querySelector("b").textContent = `${percent} %`;
  const slider = item.querySelector(".amount");
  slider.setAttribute("aria-valuenow", String(percent));
  slider.setAttribute("aria-valuetext", `${percent} %`);
}
