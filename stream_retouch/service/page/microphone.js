// The microphone: asked for when it is first needed, let go when it has not been used for a while.

const IDLE_MS = 60000;
const QUIETEST_DB = -55;
const LOUDEST_DB = -12;
const ERRORS = {
  NotAllowedError: "microphone-refused",
  SecurityError: "microphone-refused",
  NotFoundError: "microphone-missing",
  OverconstrainedError: "microphone-missing",
  NotReadableError: "microphone-busy",
  AbortError: "microphone-busy",
};

export class MicrophoneError extends Error {
  constructor(code, cause) {
    super(code, { cause });
    this.code = code;
  }
}

// Why no microphone can be had without asking for it; "" when one may be.
export async function whyNot() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) return "insecure";
  const devices = (await navigator.mediaDevices.enumerateDevices?.().catch(() => [])) ?? [];
  if (devices.length && !devices.some((device) => device.kind === "audioinput")) return "microphone-missing";
  return (await permission())?.state === "denied" ? "microphone-refused" : "";
}

// Calls back when `whyNot` may have another answer.
export async function onChange(callback) {
  navigator.mediaDevices?.addEventListener?.("devicechange", callback);
  (await permission())?.addEventListener("change", callback);
  addEventListener("focus", callback); // for browsers that do not tell
}

// null where a browser does not know this permission by name
async function permission() {
  try {
    return await navigator.permissions.query({ name: "microphone" });
  } catch {
    return null;
  }
}

export class Microphone {
  constructor(onGone) {
    this.onGone = onGone;
    this.timer = 0;
  }

  // The track, live. Throws MicrophoneError.
  async open() {
    clearTimeout(this.timer);
    if (this.track?.readyState !== "live") {
      if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("insecure");
      const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
      let stream;
      try {
        stream = await navigator.mediaDevices.getUserMedia({ audio });
      } catch (error) {
        throw new MicrophoneError(ERRORS[error.name] ?? "microphone-failed", error);
      }
      const [track] = stream.getAudioTracks();
      track.addEventListener("ended", () => track === this.track && this.#gone());
      this.track = track;
      this.context = new AudioContext();
      this.analyser = new AnalyserNode(this.context, { fftSize: 1024 });
      this.context.createMediaStreamSource(stream).connect(this.analyser);
      this.wave = new Float32Array(this.analyser.fftSize);
    }
    await this.context.resume();
    return this.track;
  }

  // How loud it is now, 0..1 from silence to a loud voice.
  level() {
    if (!this.analyser) return 0;
    this.analyser.getFloatTimeDomainData(this.wave);
    const power = this.wave.reduce((sum, value) => sum + value * value, 0) / this.wave.length;
    const decibels = 10 * Math.log10(power + 1e-12);
    return Math.min(1, Math.max(0, (decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)));
  }

  // Not needed now: kept a while, because to open it again would cost the next first word.
  rest() {
    clearTimeout(this.timer);
    this.context?.suspend();
    this.timer = setTimeout(() => this.close(), IDLE_MS);
  }

  close() {
    clearTimeout(this.timer);
    const { track, context } = this;
    this.track = this.context = this.analyser = null;
    track?.stop();
    context?.close();
  }

  #gone() {
    this.close();
    this.onGone();
  }
}
