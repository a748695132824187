// One connection to the service: offer, answer, control channel, figures. It never retries; the page decides that.

const GATHER_LIMIT_MS = 2000;
const CONNECT_LIMIT_MS = 10000;
const PREFERRED = ["video/H264", "video/VP8"];

export class PeerError extends Error {
  // `detail` is the service's own sentence, when it gave one.
  constructor(code, { retryAfterS = 0, detail = "" } = {}) {
    super(code);
    this.code = code;
    this.retryAfterS = retryAfterS;
    this.detail = detail;
  }
}

export class Peer {
  // hooks: onMessage(object), onReturned(MediaStream), onLost(code), onSession(its resume token)
  // `resume` is the token of the session whose look is taken over.
  constructor(token, hooks, resume = "") {
    this.token = token;
    this.hooks = hooks;
    this.resume = resume;
    this.resumed = null; // true: the look is back, false: it was not kept, null: not asked for
    this.location = "";
    this.closed = false;
    this.ended = false;
    this.last = null;
  }

  get session() {
    return this.location.split("/").pop();
  }

  // Resolves when the control channel is open. Throws PeerError.
  async connect(stream) {
    if (!window.RTCPeerConnection) throw new PeerError("webrtc-missing");
    this.connection = new RTCPeerConnection({ iceServers: await this.#iceServers() });
    if (this.closed) {
      this.connection.close();
      throw new PeerError("closed");
    }
    this.channel = this.connection.createDataChannel("control");
    this.channel.onmessage = (event) => this.#read(event.data);
    this.connection.ontrack = (event) => this.#returned(event);
    const opened = this.#opened();
    opened.catch(() => {}); // it may fail while the offer is still under way; it is awaited below
    await this.#addVideo(stream);
    // Offered from the start, without a track: the microphone comes later by replaceTrack, and nothing is negotiated
    // anew. Until then no audio packet is sent.
    this.audio = this.connection.addTransceiver("audio", { direction: "sendonly" });
    await this.connection.setLocalDescription(await this.connection.createOffer());
    await gathered(this.connection);
    if (!/^a=candidate:/m.test(this.connection.localDescription.sdp)) throw new PeerError("network-down");
    const answer = await this.#post(this.connection.localDescription.sdp);
    if (this.closed) throw new PeerError("closed");
    try {
      await this.connection.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      throw new PeerError("no-common-video", { detail: error.message });
    }
    await opened;
  }

  send(message) {
    if (this.channel?.readyState !== "open") return false;
    this.channel.send(JSON.stringify(message));
    return true;
  }

  // Sends this audio track; with null, no more audio.
  async sendAudio(track) {
    if (!this.closed) await this.audio?.sender.replaceTrack(track);
  }

  // Ends the connection. With `end` the session is over for good; without, the service keeps its look for a while.
  close(end = false) {
    if (this.closed) return;
    this.closed = true;
    this.ended = end;
    this.connection?.close();
    if (end && this.location) this.#delete();
  }

  #delete() {
    fetch(this.location, { method: "DELETE", keepalive: true, headers: this.#headers() }).catch(() => {});
  }

  // STUN and TURN servers with credentials that are this page's own; usually none.
  async #iceServers() {
    let response;
    try {
      response = await fetch("/ice", { headers: this.#headers(), cache: "no-store" });
    } catch {
      throw new PeerError("server-gone");
    }
    // What keeps this request out is told by the next one.
    return response.ok ? (await response.json()).iceServers : [];
  }

  async #addVideo(stream) {
    const [track] = stream.getVideoTracks();
    track.contentHint = "motion";
    const transceiver = this.connection.addTransceiver(track, { direction: "sendrecv", streams: [stream] });
    const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs ?? [];
    const rank = (codec) => {
      const place = PREFERRED.indexOf(codec.mimeType);
      return place < 0 ? PREFERRED.length : place;
    };
    // Stable sort: the browser's own order within a kind stays.
    if (codecs.length) transceiver.setCodecPreferences?.([...codecs].sort((a, b) => rank(a) - rank(b)));
    const receiver = transceiver.receiver;
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    else if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = 0;
    const parameters = transceiver.sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    await transceiver.sender.setParameters(parameters).catch(() => {});
  }

  async #post(offer) {
    let response;
    try {
      response = await fetch("/session", {
        method: "POST",
        headers: {
          "Content-Type": "application/sdp",
          ...(this.resume ? { Resume: this.resume } : {}),
          ...this.#headers(),
        },
        body: offer,
      });
    } catch {
      throw new PeerError("server-gone");
    }
    const text = await response.text();
    if (response.status === 201) {
      this.location = response.headers.get("Location") ?? "";
      this.resumed = { "?1": true, "?0": false }[response.headers.get("Resumed")] ?? null;
      if (this.ended) this.#delete(); // it was ended while the offer was under way
      else this.hooks.onSession(response.headers.get("Resume") ?? "");
      return text;
    }
    const retryAfterS = Number(response.headers.get("Retry-After")) || 0;
    throw new PeerError(await refusal(response.status), { retryAfterS, detail: reason(text) });
  }

  #headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  #opened() {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new PeerError("path-blocked")), CONNECT_LIMIT_MS);
      const settle = (action) => {
        clearTimeout(limit);
        action();
      };
      let open = false;
      this.channel.onopen = () => {
        open = true;
        settle(resolve);
      };
      const lost = (code) => {
        settle(() => reject(new PeerError(code)));
        if (open && !this.closed) this.hooks.onLost(code);
      };
      this.channel.onclose = () => lost("server-gone");
      this.connection.onconnectionstatechange = () => {
        if (this.connection.connectionState === "failed") lost(open ? "server-gone" : "path-blocked");
      };
    });
  }

  #returned(event) {
    if (event.track.kind !== "video") return;
    const stream = event.streams[0] ?? new MediaStream([event.track]);
    this.hooks.onReturned(stream);
  }

  #read(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message && typeof message.type === "string") this.hooks.onMessage(message);
  }

  // Figures of the time since the last call.
  async figures() {
    const stats = await this.connection.getStats();
    const found = { codecs: {} };
    for (const report of stats.values()) {
      if (report.type === "codec") found.codecs[report.id] = report.mimeType.replace("video/", "");
      else if (report.type === "inbound-rtp" && report.kind === "video") found.in = report;
      else if (report.type === "outbound-rtp" && report.kind === "video") found.out = report;
      else if (report.type === "candidate-pair" && report.nominated) found.pair = report;
    }
    if (!found.in || !found.out) return null;
    const now = {
      at: found.in.timestamp,
      decoded: found.in.framesDecoded ?? 0,
      processing: found.in.totalProcessingDelay ?? 0,
      encoded: found.out.framesEncoded ?? 0,
      encoding: found.out.totalEncodeTime ?? 0,
    };
    const then = this.last ?? now;
    this.last = now;
    const perFrame = (time, frames) => (now[frames] > then[frames] ? (1000 * (now[time] - then[time])) / (now[frames] - then[frames]) : 0);
    const seconds = (now.at - then.at) / 1000;
    return {
      fps: seconds > 0 ? (now.decoded - then.decoded) / seconds : 0,
      framesDecoded: now.decoded,
      roundTripMs: 1000 * (found.pair?.currentRoundTripTime ?? 0),
      encodeMs: perFrame("encoding", "encoded"),
      receiveMs: perFrame("processing", "decoded"),
      lost: found.in.packetsLost ?? 0,
      codec: found.codecs[found.in.codecId] ?? "",
      sent: `${found.out.frameWidth ?? 0}x${found.out.frameHeight ?? 0}`,
      returned: `${found.in.frameWidth ?? 0}x${found.in.frameHeight ?? 0}`,
    };
  }
}

// The sentence in a problem document (RFC 9457).
function reason(text) {
  try {
    return String(JSON.parse(text).detail ?? "").slice(0, 300);
  } catch {
    return "";
  }
}

// What a status other than 201 means for the person. A loading service says so at /readyz too.
async function refusal(status) {
  if (status === 503) {
    const ready = await fetch("/readyz").then((response) => response.ok, () => false);
    return ready ? "server-full" : "server-loading";
  }
  if (status === 429) return "server-full";
  if (status === 401 || status === 403) return "refused";
  return status >= 500 ? "server-gone" : "no-common-video";
}

function gathered(connection) {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const limit = setTimeout(resolve, GATHER_LIMIT_MS);
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState !== "complete") return;
      clearTimeout(limit);
      resolve();
    };
  });
}
