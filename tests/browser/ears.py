"""A service with ears, played inside the browser, and a recogniser of the browser's own that hears the same words.

So the page's side of speech is tested whether or not this machine can recognise any.
"""

from __future__ import annotations

HEARD = "Remove the spots on my forehead"

SERVICE_LISTENS = """
const original = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (...options) {
  const channel = original.apply(this, options);
  const send = channel.send.bind(channel);
  const tell = (message) => {
    channel.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
  };
  const ears = { open: false, listens: [], plans: [] };
  window.ears = ears;
  channel.send = (text) => {
    const message = JSON.parse(text);
    if (message.type === "set_plan") ears.plans.push([performance.now(), message.plan]);
    if (message.type !== "listen") return send(text);
    ears.listens.push(message.value);
    const { id } = message;
    queueMicrotask(() => {
      if (window.noEars) return tell({ type: "rejected", id, reason: window.noEars });
      tell({ type: "ack", id, version: 0 });
      if (message.value) tell({ type: "heard", text: "remove the spots", final: false });
      else if (ears.open) {
        tell({ type: "heard", text: "HEARD", final: true });
        send(JSON.stringify({ type: "instruct", id: "ear", text: "HEARD" }));
      }
      ears.open = message.value;
    });
  };
  channel.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.id !== "ear") return;
    event.stopImmediatePropagation();
    tell({ ...message, id: null, spoken: true });
  });
  return channel;
};
""".replace("HEARD", HEARD)
"""Before the page's script: `listen` is answered here, what was "heard" goes to the service as words.

`window.ears` tells what was sent; a text in `window.noEars` is the reason why nothing can be heard.
"""

BROWSER_LISTENS = """
window.webkitSpeechRecognition = window.SpeechRecognition = class {
  start() {
    const word = [{ transcript: "HEARD" }];
    setTimeout(() => this.onresult({ results: [word] }), 0);
  }
  stop() { setTimeout(() => this.onend(), 0); }
};
""".replace("HEARD", HEARD)
"""Before the page's script: the browser's own recogniser, without the internet."""

NO_MICROPHONE = """
const camera = { kind: "videoinput", deviceId: "a", label: "" };
navigator.mediaDevices.enumerateDevices = async () => [camera];
"""
