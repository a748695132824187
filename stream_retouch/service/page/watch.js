// Plays one stream over WHEP, and comes back when it does. The name is the last part of the page's path; a service with
// a token is opened as /watch/NAME#token=TOKEN.

const RETRY_S = 2;
const GATHER_LIMIT_MS = 2000;
const STANDING_MS = 1000; // a picture that has not moved for so long makes us ask whether the stream goes on

const name = location.pathname.split("/").pop();
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const auth = token ? { Authorization: `Bearer ${token}` } : {};
const video = document.getElementById("video");
const line = document.getElementById("status");
let resource = "";

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

function gathered(connection) {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, GATHER_LIMIT_MS);
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") resolve();
    });
  });
}

// Resolves when the connection has ended. Throws an Error whose message is for people; its `retryS` says when to try
// again, 0: never.
async function play() {
  const connection = new RTCPeerConnection();
  let watched = 0;
  let shown = -1;
  try {
    for (const kind of ["video", "audio"]) {
      const { receiver } = connection.addTransceiver(kind, { direction: "recvonly" });
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    }
    const stream = new MediaStream();
    connection.ontrack = ({ track }) => stream.addTrack(track);
    const ended = new Promise((resolve) => {
      watched = setInterval(async () => {
        const { totalVideoFrames } = video.getVideoPlaybackQuality();
        const standing = line.textContent === "" && totalVideoFrames === shown;
        shown = totalVideoFrames;
        if (standing && (await gone())) resolve();
      }, STANDING_MS);
      connection.onconnectionstatechange = () => {
        const state = connection.connectionState;
        if (state === "connected") line.textContent = "";
        if (["failed", "closed", "disconnected"].includes(state)) resolve();
      };
    });
    await connection.setLocalDescription(await connection.createOffer());
    await gathered(connection);
    const answer = await post(connection.localDescription.sdp);
    await connection.setRemoteDescription({ type: "answer", sdp: answer });
    video.srcObject = stream;
    await ended;
    line.textContent = await reason();
  } finally {
    clearInterval(watched);
    connection.close();
    leave();
  }
}

async function post(offer) {
  const headers = { "Content-Type": "application/sdp", ...auth };
  const response = await fetch(`/whep/${name}`, { method: "POST", headers, body: offer });
  const text = await response.text();
  if (response.status !== 201) {
    const error = new Error(sentence(text) || `the service answered ${response.status}`);
    error.retryS = [409, 429, 503].includes(response.status) ? Number(response.headers.get("Retry-After")) || RETRY_S : 0;
    throw error;
  }
  resource = response.headers.get("Location");
  return text;
}

// Whether the service has ended it; a browser would notice only after seconds.
async function gone() {
  try {
    return (await fetch(resource, { headers: auth })).status === 404;
  } catch {
    return false; // the connection may stand all the same
  }
}

// Why the connection has ended, in the service's own words.
async function reason() {
  try {
    const response = await fetch(resource, { headers: auth });
    return sentence(await response.text()) || "The connection was lost";
  } catch {
    return "The service cannot be reached";
  }
}

function sentence(text) {
  try {
    return JSON.parse(text).detail ?? "";
  } catch {
    return "";
  }
}

function leave() {
  if (!resource) return;
  fetch(resource, { method: "DELETE", keepalive: true, headers: auth }).catch(() => {});
  resource = "";
}

addEventListener("pagehide", leave);
document.title = `${name} · stream_retouch`;
for (;;) {
  let retryS = RETRY_S;
  try {
    await play();
  } catch (error) {
    line.textContent = error.message;
    retryS = error.retryS ?? RETRY_S; // no answer at all: the service may be starting
    if (retryS === 0) break;
  }
  await pause(retryS);
}
