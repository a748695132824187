// The two pictures on top of each other, the divider between them, and the original held back until its
// retouched frame is here: without that, a moving head would break apart at the divider.

const HELD_FRAMES = 16;
const STEP = 2;
const LEAP = 10;

export class Stage {
  constructor(root) {
    const part = (id) => root.querySelector(`#${id}`);
    this.root = root;
    this.pictures = part("pictures");
    this.local = part("local");
    this.returned = part("returned");
    this.canvas = part("original");
    this.divider = part("divider");
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.held = [];
    this.delayMs = 80;
    this.showing = false;
    this.#dividerInput();
    this.setSplit(50);
    for (const video of [this.local, this.returned]) {
      video.addEventListener("resize", () => this.#fit());
      video.addEventListener("loadedmetadata", () => this.#fit());
    }
  }

  showLocal(stream) {
    this.held = [];
    this.canvas.hidden = true;
    this.local.srcObject = stream;
    if (!stream) return;
    this.local.play().catch(() => {});
    if (this.local.requestVideoFrameCallback) this.#hold(stream);
  }

  showReturned(stream) {
    this.showing = false;
    this.root.dataset.returned = "";
    this.returned.srcObject = stream;
    if (!stream) {
      this.canvas.hidden = true;
      return;
    }
    this.returned.play().catch(() => {});
    if (this.returned.requestVideoFrameCallback) this.#pair(stream);
    else this.returned.addEventListener("playing", () => this.#first(), { once: true });
  }

  // Time from a frame's capture to the arrival of the same frame, retouched, without its wait on this side.
  setDelay(milliseconds) {
    this.delayMs = milliseconds;
  }

  setMirror(on) {
    this.pictures.classList.toggle("mirrored", on);
    this.setSplit(this.split);
  }

  setSplit(percent) {
    this.split = Math.min(100, Math.max(0, percent));
    const whole = Math.round(this.split);
    this.root.style.setProperty("--split", `${this.split}%`);
    this.root.dataset.split = String(whole);
    this.root.classList.toggle("split-left", whole < 22);
    this.root.classList.toggle("split-right", whole > 78);
    this.divider.setAttribute("aria-valuenow", String(whole));
    this.divider.setAttribute("aria-valuetext", `original on ${whole} % of the picture`);
  }

  #first() {
    if (this.showing) return;
    this.showing = true;
    this.root.dataset.returned = "yes";
    this.root.dispatchEvent(new Event("firstpicture"));
  }

  #fit() {
    const { videoWidth: width, videoHeight: height } = this.local.videoWidth ? this.local : this.returned;
    if (!width || !height) return;
    document.documentElement.style.setProperty("--ratio", String(width / height));
  }

  // Keeps copies of the last frames of the local picture with the time they were taken.
  #hold(stream) {
    const keep = (now, metadata) => {
      if (this.local.srcObject !== stream) return;
      const entry = this.held.length < HELD_FRAMES ? { canvas: document.createElement("canvas") } : this.held.shift();
      const { videoWidth: width, videoHeight: height } = this.local;
      if (entry.canvas.width !== width || entry.canvas.height !== height) Object.assign(entry.canvas, { width, height });
      entry.canvas.getContext("2d", { alpha: false }).drawImage(this.local, 0, 0);
      entry.at = metadata.captureTime ?? metadata.presentationTime ?? now;
      this.held.push(entry);
      this.local.requestVideoFrameCallback(keep);
    };
    this.local.requestVideoFrameCallback(keep);
  }

  // With each retouched frame, draws the original that it was made from.
  #pair(stream) {
    const show = (now, metadata) => {
      if (this.returned.srcObject !== stream) return;
      this.#first();
      const at = (metadata.receiveTime ?? metadata.presentationTime ?? now) - this.delayMs;
      let best = null;
      for (const entry of this.held) {
        if (!best || Math.abs(entry.at - at) < Math.abs(best.at - at)) best = entry;
      }
      if (best) {
        const { width, height } = best.canvas;
        if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
        this.pen.drawImage(best.canvas, 0, 0);
        this.canvas.hidden = false;
      }
      this.returned.requestVideoFrameCallback(show);
    };
    this.returned.requestVideoFrameCallback(show);
  }

  #dividerInput() {
    const toPointer = (event) => {
      const box = this.pictures.getBoundingClientRect();
      this.setSplit((100 * (event.clientX - box.left)) / box.width);
    };
    this.divider.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.divider.setPointerCapture(event.pointerId);
      this.root.classList.add("dragging");
      event.preventDefault();
      this.divider.focus({ preventScroll: true });
    });
    this.divider.addEventListener("pointermove", (event) => {
      if (this.divider.hasPointerCapture(event.pointerId)) toPointer(event);
    });
    this.divider.addEventListener("lostpointercapture", () => this.root.classList.remove("dragging"));
    this.divider.addEventListener("dblclick", () => this.setSplit(50));
    this.pictures.addEventListener("click", (event) => {
      if (this.showing) toPointer(event);
    });
    const moves = {
      ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP,
      PageDown: -LEAP, PageUp: LEAP, Home: -100, End: 100,
    };
    this.divider.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      this.setSplit(this.split + move * (event.shiftKey ? 5 : 1));
    });
  }
}
