// The page: source -> peer -> stage, and words -> plan. One `page` object holds what is so; `render…` shows it.
// For tests: body[data-state] idle|starting|connecting|live|waiting|error, body[data-notice] the code of the
// message shown, and ?autostart=camera|sample, ?size=480|720|1080.

import { Chips } from "./chips.js";
import { History } from "./history.js";
import { Peer } from "./peer.js";
import { Resume } from "./resume.js";
import { listCameras, openCamera, openSample } from "./sources.js";
import { Speak } from "./speak.js";
import { Stage } from "./stage.js";
import { Talk } from "./talk.js";
import { ACTION_LABEL, NOTICES, PILL, RESUME } from "./words.js";

const BACKOFF_S = [0.5, 1, 2, 4, 8];
const SILENCE_MS = 4000;
const TICK_MS = 1000;

const by = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
// After the #, so that it reaches no log.
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

// Messages with another id come from another client of the same session (`stream-retouch say`, /ws).
const idPrefix = `page-${Math.random().toString(36).slice(2, 8)}-`;
let idCount = 0;
let strengthTimer = 0;

const page = {
  state: "idle",
  source: "camera",
  stream: null,
  peer: null,
  attempt: 0, // counts starts and stops, so that what an older one awaited is ignored
  retry: 0, // timer
  backoff: 0, // place in BACKOFF_S
  engine: "–",
  heardAt: 0,
  stats: null,
  quality: null,
  figures: null,
  connected: false, // once since the page was loaded: from then on `look` is what the person wants
  look: { strength: 1, enabled: true, overlay: false },
};

const resume = new Resume();
const stage = new Stage(by("stage"));
const talk = new Talk({
  form: by("say"), words: by("words"), examples: by("examples"), reply: by("reply"), undo: by("undo"), redo: by("redo"),
  chips: new Chips(by("plan")),
  history: new History({ list: by("turns"), title: by("turns-title"), onUndo: () => talk.say("Undo") }),
  send,
});
const speak = new Speak({
  button: by("speak"), strip: by("strip"), meter: by("meter"), heard: by("heard"), note: by("speech-note"),
  own: by("own"), ownRow: by("own-row"),
  send,
  sendAudio: async (track) => page.peer?.sendAudio(track),
  onWords: (text) => talk.say(text, "spoken"),
});

// The id of the message, or "" when there is no connection.
function send(message) {
  const id = `${idPrefix}${++idCount}`;
  return page.peer?.send({ ...message, id }) ? id : "";
}

function setState(state, text = PILL[state]) {
  page.state = state;
  document.body.dataset.state = state;
  by("pill-text").textContent = text;
  by("welcome").hidden = state !== "idle";
  by("stop").disabled = state === "idle";
}

// ---- messages on the stage

function notify(code, detail = "") {
  document.body.dataset.notice = code;
  by("notice").hidden = !code;
  if (!code) return;
  const notice = NOTICES[code] ?? NOTICES["server-gone"];
  by("notice").classList.toggle("slim", Boolean(notice.retry));
  by("notice-title").textContent = notice.title;
  by("notice-text").textContent = detail ? `${notice.text} The service says: ${detail}.` : notice.text;
  by("notice-actions").replaceChildren(
    ...notice.actions.map((action, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = index ? "plain" : "primary";
      button.textContent = ACTION_LABEL[action];
      button.addEventListener("click", () => (action === "again" ? again() : start(action)));
      return button;
    }),
  );
}

function fail(code, detail = "") {
  dropPeer();
  if (code.startsWith("camera") || code === "insecure" || code === "sample-failed") dropStream();
  setState("error");
  notify(code, detail);
}

function again() {
  clearTimeout(page.retry);
  if (page.stream) connect();
  else start(page.source);
}

// ---- source

// `code`: the notice to begin with.
async function start(source, code = "") {
  halt(false);
  notify(code);
  page.source = source;
  document.body.dataset.source = source;
  by("source").value = source;
  by("size").hidden = source !== "camera";
  by("camera").hidden = source !== "camera" || by("camera").options.length < 2;
  setState("starting", source === "camera" ? "Waiting for the camera" : "Starting");
  const attempt = ++page.attempt;
  let stream;
  try {
    stream = source === "camera"
      ? await openCamera(by("size").value, by("camera").value)
      : await openSample("/sample.webm");
  } catch (error) {
    if (attempt === page.attempt) fail(error.code ?? "camera-failed");
    return;
  }
  if (attempt !== page.attempt) {
    stopTracks(stream);
    return;
  }
  page.stream = stream;
  const mirror = source === "camera" && stream.getVideoTracks()[0].getSettings().facingMode !== "environment";
  by("mirror").checked = mirror;
  stage.setMirror(mirror);
  stream.getVideoTracks()[0].addEventListener("ended", () => page.stream === stream && fail("camera-gone"));
  stage.showLocal(stream);
  if (source === "camera") fillCameras();
  page.backoff = 0;
  connect();
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function dropStream() {
  const { stream } = page;
  page.stream = null;
  stopTracks(stream);
  stage.showLocal(null);
}

function halt(end) {
  page.attempt += 1;
  clearTimeout(page.retry);
  dropPeer(end);
  dropStream();
  speak.close();
  notify("");
}

function stop() {
  halt(true);
  resume.forget();
  setState("idle");
}

// Goes on where this tab was when it was loaded again a moment ago; false when it was nowhere.
function comeBack() {
  const source = resume.earlier();
  if (source) start(source, "reconnecting");
  return Boolean(source);
}

async function fillCameras() {
  const cameras = await listCameras();
  const current = page.stream?.getVideoTracks()[0].getSettings().deviceId;
  by("camera").replaceChildren(
    ...cameras.map((camera, index) => new Option(camera.label || `Camera ${index + 1}`, camera.deviceId)),
  );
  if (current) by("camera").value = current;
  by("camera").hidden = page.source !== "camera" || cameras.length < 2;
}

// ---- connection

function dropPeer(end = false) {
  const { peer } = page;
  page.peer = null;
  page.stats = page.quality = null;
  page.figures = null;
  stage.showReturned(null);
  talk.disconnected();
  speak.disconnected();
  peer?.close(end);
  renderFigures();
}

async function connect() {
  clearTimeout(page.retry);
  dropPeer();
  if (!document.body.dataset.notice) setState("connecting");
  const hooks = {
    onMessage: (message) => peer === page.peer && receive(message),
    onReturned: (stream) => peer === page.peer && stage.showReturned(stream),
    onLost: () => peer === page.peer && waitAndRetry("reconnecting"),
    onSession: (secret) => resume.remember(secret, page.source),
  };
  const peer = new Peer(token, hooks, resume.token);
  page.peer = peer;
  try {
    await peer.connect(page.stream);
  } catch (error) {
    if (peer !== page.peer) return;
    const code = error.code in NOTICES ? error.code : "server-gone";
    if (NOTICES[code].retry) waitAndRetry(code, error.retryAfterS, error.detail);
    else fail(code, error.detail);
    return;
  }
  if (peer !== page.peer) return;
  page.heardAt = performance.now();
  page.backoff = 0;
  notify("");
  setState("live");
  const { strength, enabled, overlay } = page.look;
  if (page.connected) {
    // They may have been moved meanwhile.
    send({ type: "strength", value: strength });
    send({ type: "enable", value: enabled });
    send({ type: "overlay", value: overlay });
  }
  page.connected = true;
  send({ type: "state" });
  talk.connected(peer.resumed === true);
  if (peer.resumed === true) talk.tell(RESUME.back);
  else if (peer.resumed === false) talk.tell(talk.restore || talk.asked ? RESUME.again : RESUME.gone);
  speak.connected();
}

// The service is away for a while: says why, counts down, tries again.
function waitAndRetry(code, retryAfterS = 0, detail = "") {
  dropPeer();
  const place = Math.min(page.backoff, BACKOFF_S.length - 1);
  page.backoff = place + 1;
  const dueAt = performance.now() + 1000 * Math.min(30, retryAfterS || BACKOFF_S[place]);
  notify(code, detail);
  const count = () => {
    const leftS = (dueAt - performance.now()) / 1000;
    if (leftS <= 0) {
      setState("waiting", "Trying again");
      connect();
      return;
    }
    setState("waiting", leftS > 1 ? `Trying again in ${Math.ceil(leftS)} s` : "Trying again");
    page.retry = setTimeout(count, Math.min(250, 1000 * leftS));
  };
  clearTimeout(page.retry);
  count();
}

function receive(message) {
  page.heardAt = performance.now();
  if (message.type === "stats") page.stats = message;
  else if (message.type === "quality") page.quality = message;
  else if (message.type === "state") showState(message);
  else if (message.type === "ack" && !String(message.id).startsWith(idPrefix)) send({ type: "state" });
  talk.receive(message);
  speak.receive(message);
}

function showState({ strength, enabled, overlay, engine }) {
  page.engine = engine;
  if (strengthTimer) return; // a newer value is on its way
  page.look = { strength, enabled, overlay };
  by("strength").value = String(Math.round(100 * strength));
  by("enabled").checked = enabled;
  by("overlay").checked = overlay;
  renderLook();
}

async function tick() {
  const { peer } = page;
  if (!peer || page.state !== "live") return;
  if (performance.now() - page.heardAt > SILENCE_MS) {
    page.heardAt = performance.now();
    const alive = await fetch("/healthz", { cache: "no-store" }).then((r) => r.ok, () => false);
    if (peer !== page.peer) return;
    // It answers and yet the session is silent: the session is gone, the service is not.
    waitAndRetry(alive ? "reconnecting" : "server-gone");
    return;
  }
  const figures = await peer.figures().catch(() => null);
  if (peer !== page.peer || !figures) return;
  resume.alive();
  page.figures = figures;
  if (figures.encodeMs || figures.roundTripMs) {
    stage.setDelay(figures.encodeMs + figures.roundTripMs + (Number(page.stats?.added_ms) || 20));
  }
  renderFigures();
}

// ---- figures and look

function renderFigures() {
  const { figures, stats } = page;
  const added = Number(stats?.added_ms);
  by("fps").textContent = figures ? String(Math.round(figures.fps)) : "–";
  by("added").textContent = stats && Number.isFinite(added) ? String(Math.round(added)) : "–";
  // What is left out is told once it can be seen.
  const busy = page.quality?.rung >= 2 ? page.quality.note : "";
  by("hint").textContent = busy ? busy[0].toUpperCase() + busy.slice(1) : "No face in view";
  const unseen = stats && stats.faces === 0;
  by("hint").hidden = !(page.state === "live" && page.look.enabled && (busy || unseen));
  document.body.dataset.decoded = String(figures?.framesDecoded ?? 0);
  document.body.dataset.faces = String(stats?.faces ?? "");
  if (!figures) {
    by("details").replaceChildren();
    return;
  }
  const roundTrip = figures.encodeMs + figures.roundTripMs + (added || 0) + figures.receiveMs;
  const rows = {
    "Session": page.peer.session,
    "Format": `${figures.codec}, sent ${figures.sent}, returned ${figures.returned}`,
    "Camera to screen": `about ${Math.round(roundTrip)} ms`,
    "Engine": page.engine,
    "Faces": stats ? String(stats.faces) : "–",
    "Edits of their own frame": stats ? `${Math.round(100 * (stats.fresh_share ?? 0))} %` : "–",
    "Frames left out": stats ? String(stats.dropped ?? 0) : "–",
    "Packets lost": String(figures.lost),
  };
  by("details").replaceChildren(
    ...Object.entries(rows).flatMap(([name, value]) => {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = value;
      return [dt, dd];
    }),
  );
}

function renderLook() {
  const { enabled, strength } = page.look;
  const percent = Math.round(100 * strength);
  by("strength-value").textContent = `${percent} %`;
  by("strength").style.setProperty("--fill", `${percent}%`);
  by("tag-right").textContent = enabled ? "Retouched" : "Retouch off";
}

by("strength").addEventListener("input", () => {
  page.look.strength = Number(by("strength").value) / 100;
  renderLook();
  clearTimeout(strengthTimer);
  strengthTimer = setTimeout(() => {
    strengthTimer = 0;
    send({ type: "strength", value: page.look.strength });
  }, 60);
});
by("enabled").addEventListener("change", () => {
  page.look.enabled = by("enabled").checked;
  send({ type: "enable", value: page.look.enabled });
  renderLook();
});
by("overlay").addEventListener("change", () => {
  page.look.overlay = by("overlay").checked;
  send({ type: "overlay", value: page.look.overlay });
});
by("mirror").addEventListener("change", () => stage.setMirror(by("mirror").checked));
by("source").addEventListener("change", () => start(by("source").value));
by("camera").addEventListener("change", () => start("camera"));
by("size").addEventListener("change", () => page.state !== "idle" && start("camera"));
by("stop").addEventListener("click", stop);
for (const button of document.querySelectorAll("[data-start]")) {
  button.addEventListener("click", () => start(button.dataset.start));
}

addEventListener("pagehide", () => {
  page.attempt += 1;
  clearTimeout(page.retry);
  resume.alive();
  page.peer?.close(); // not for good: it may be a reload
  page.peer = null;
  speak.close();
});
addEventListener("pageshow", (event) => event.persisted && !comeBack() && stop());
addEventListener("online", () => page.state === "waiting" && again());

if (["480", "720", "1080"].includes(query.get("size"))) by("size").value = query.get("size");
setInterval(tick, TICK_MS);
renderLook();
setState("idle");
if (!window.RTCPeerConnection) fail("webrtc-missing");
else if (performance.getEntriesByType("navigation")[0]?.type === "reload" && comeBack()) {
  // Another type of navigation may be a copy of the tab, whose video must not be taken away.
} else if (["camera", "sample"].includes(query.get("autostart"))) start(query.get("autostart"));
