// The microphone button: while it is held the service listens (or the browser's own recogniser does, when asked to).
// For tests: data-speech of the button is off|ready|asking|listening|thinking.

import { Microphone, onChange, whyNot } from "./microphone.js";
import { Recogniser, hasRecogniser } from "./recogniser.js";
import { SPEECH } from "./words.js";

const TAIL_MS = 800; // the service still listens for a last syllable when the button is let go
const ANSWER_MS = 20000;
const SILENT = 0.02;
const SILENT_AFTER_MS = 700;

export class Speak {
  // parts: button, strip, meter, heard, note, own, ownRow (elements); send(message) -> its id or "";
  // sendAudio(track or null); onWords(text)
  constructor(parts) {
    Object.assign(this, parts);
    this.online = false;
    this.refused = ""; // the service's reason, "" when it listens
    this.device = ""; // code of why there is no microphone to be had
    this.trouble = ""; // code of what went wrong with it last
    this.held = false;
    this.told = false; // whether the service was told to listen
    this.awaited = 0; // utterances whose words are not here yet
    this.microphone = new Microphone(() => this.#deviceFailed("microphone-gone"));
    this.recogniser = new Recogniser({
      onHeard: (text) => this.#partial(text),
      onEnd: (text, code) => this.#ownEnded(text, code),
    });
    this.ownRow.hidden = !hasRecogniser;
    this.own.addEventListener("change", () => this.#ready());
    this.#buttonInput();
    onChange(() => this.#look());
    this.#look();
  }

  // There is a session now; the service is asked whether it can listen.
  connected() {
    this.online = true;
    this.refused = "";
    this.question = this.send({ type: "listen", value: false });
    this.#look();
  }

  disconnected() {
    this.online = false;
    this.told = false;
    this.held = false;
    this.awaited = 0;
    clearTimeout(this.timer);
    this.recogniser.stop();
    this.microphone.rest();
    this.#ready();
  }

  close() {
    this.microphone.close();
  }

  receive(message) {
    const no = message.type === "rejected" || message.type === "error";
    if (message.type === "heard") this.#heard(message);
    else if (no && message.id && message.id === this.question) {
      this.refused = message.type === "error" ? SPEECH["no-service"] : message.reason;
      this.#ready();
    } else if (no && message.id && message.id === this.pressed) this.#notHeard(message.reason);
  }

  // ---- the button

  #buttonInput() {
    const { button } = this;
    let pointed = false;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      pointed = true;
      button.setPointerCapture(event.pointerId);
      this.#press();
    });
    for (const end of ["lostpointercapture", "pointercancel", "blur"]) {
      button.addEventListener(end, () => this.#release());
    }
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch
    button.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      if (!event.repeat) this.#press();
    });
    button.addEventListener("keyup", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      this.#release();
    });
    // Without a pointer or a key of its own (a screen reader, voice control) it cannot be held: a click switches.
    button.addEventListener("click", () => {
      if (pointed) pointed = false;
      else if (this.held) this.#release();
      else this.#press();
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.#release());
  }

  async #press() {
    if (this.held || this.button.disabled) return;
    this.held = true;
    this.trouble = "";
    clearTimeout(this.tail);
    if (this.own.checked) {
      this.#set("listening", "");
      this.recogniser.start();
      return;
    }
    this.#set("asking", this.microphone.track ? "" : SPEECH.asking);
    let track;
    try {
      track = await this.microphone.open();
      await this.sendAudio(track);
    } catch (error) {
      this.#deviceFailed(error.code ?? "microphone-failed");
      return;
    }
    if (!this.held) { // let go while the browser was asking the person
      this.sendAudio(null);
      this.microphone.rest();
      this.#ready(SPEECH.allowed);
      return;
    }
    this.pressed = this.send({ type: "listen", value: true });
    this.told = true;
    this.loudest = 0;
    this.silent = false;
    this.heldAt = performance.now();
    this.#set("listening", "");
    this.#measure();
  }

  #release() {
    if (!this.held) return;
    this.held = false;
    if (this.recogniser.running) {
      this.#set("thinking", "");
      this.recogniser.stop();
      return;
    }
    if (!this.told) return; // still asking
    this.silent = this.loudest < SILENT && performance.now() - this.heldAt > SILENT_AFTER_MS;
    this.#set("thinking", "");
    this.#stopListening();
    this.awaited += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#notHeard(SPEECH["no-answer"]), ANSWER_MS);
  }

  #stopListening() {
    this.told = false;
    this.send({ type: "listen", value: false });
    clearTimeout(this.tail);
    this.tail = setTimeout(() => {
      this.sendAudio(null);
      this.microphone.rest();
    }, TAIL_MS);
  }

  #measure() {
    if (!this.held) {
      this.meter.style.setProperty("--level", "0");
      return;
    }
    const level = this.microphone.level();
    this.loudest = Math.max(this.loudest, level);
    this.meter.style.setProperty("--level", level.toFixed(3));
    requestAnimationFrame(() => this.#measure());
  }

  // ---- what comes of it

  #heard({ text, final }) {
    if (final) this.#said(text);
    else this.#partial(text);
  }

  #partial(text) {
    if (this.state === "listening" || this.state === "thinking") this.heard.textContent = text;
  }

  #said(text) {
    if (this.awaited > 0) {
      this.awaited -= 1;
      if (!this.awaited) clearTimeout(this.timer);
    } else if (this.held) { // said for longer than the service listens at a time
      this.held = false;
      this.#stopListening();
    }
    if (this.held || this.awaited) return;
    this.#ready(text.trim() ? "" : SPEECH[this.silent ? "silent" : "nothing"]);
  }

  // The service did not listen, or made nothing of it.
  #notHeard(reason) {
    this.awaited = 0;
    clearTimeout(this.timer);
    if (this.held && this.told) this.#stopListening();
    this.held = false;
    this.#ready(this.silent ? SPEECH.silent : reason);
  }

  #ownEnded(text, code) {
    this.held = false;
    this.trouble = code;
    this.#ready(text || code ? "" : SPEECH.nothing);
    if (text) this.onWords(text);
  }

  #deviceFailed(code) {
    this.held = false;
    this.trouble = code;
    if (this.told) this.#stopListening();
    this.awaited = 0;
    clearTimeout(this.timer);
    this.#ready();
    this.#look();
  }

  // ---- what is shown

  async #look() {
    this.device = await whyNot();
    if (!this.held && this.state !== "thinking") this.#ready();
  }

  // Rests: on when nothing is in the way, else off with the reason.
  #ready(note = "") {
    if (this.held) return;
    const reason =
      SPEECH[this.device] || (!this.online && SPEECH.offline) || (!this.own.checked && this.refused) || "";
    if (reason) this.#set("off", reason);
    else this.#set("ready", note || SPEECH[this.trouble] || "");
  }

  #set(state, note) {
    this.state = state;
    this.button.dataset.speech = state;
    this.button.disabled = state === "off";
    this.button.setAttribute("aria-pressed", String(state === "listening"));
    this.button.title = state === "off" ? note : SPEECH.ready;
    const open = state === "listening" || state === "thinking";
    if (!open || !this.open) this.heard.textContent = "";
    this.open = open;
    this.strip.hidden = !open;
    this.strip.dataset.state = SPEECH[state] ?? "";
    this.meter.hidden = this.own.checked;
    this.note.textContent = note;
    this.note.hidden = !note;
  }
}
