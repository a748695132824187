// The browser's own recogniser (Web Speech API), where there is one. It sends the voice to the browser's maker.

const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;
const ERRORS = {
  "not-allowed": "microphone-refused",
  "service-not-allowed": "microphone-refused",
  "audio-capture": "microphone-missing",
  "network": "recogniser-away",
  "no-speech": "nothing",
  "aborted": "",
};

export const hasRecogniser = Boolean(Recognition);

export class Recogniser {
  // hooks: onHeard(text so far), onEnd(text in the end, code of what went wrong or "")
  constructor(hooks) {
    this.hooks = hooks;
    this.running = null;
  }

  start() {
    const recognition = new Recognition();
    Object.assign(recognition, { lang: navigator.language, continuous: true, interimResults: true });
    let text = "";
    let wrong = "";
    recognition.onresult = ({ results }) => {
      text = [...results].map((result) => result[0].transcript.trim()).join(" ").trim();
      this.hooks.onHeard(text);
    };
    recognition.onerror = ({ error }) => {
      wrong = ERRORS[error] ?? "recogniser-failed";
    };
    recognition.onend = () => {
      if (this.running === recognition) this.running = null;
      this.hooks.onEnd(text, wrong);
    };
    this.running = recognition;
    recognition.start();
  }

  // What was said until now is still recognised.
  stop() {
    this.running?.stop();
  }
}
