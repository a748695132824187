// Where the picture comes from: a camera, or the sample clip played in a loop.

export class SourceError extends Error {
  constructor(code, cause) {
    super(code, { cause });
    this.code = code;
  }
}

const CAMERA_ERRORS = {
  NotAllowedError: "camera-refused",
  SecurityError: "camera-refused",
  NotFoundError: "camera-missing",
  OverconstrainedError: "camera-missing",
  NotReadableError: "camera-busy",
  AbortError: "camera-busy",
};
const WIDTH_OF = { 480: 640, 720: 1280, 1080: 1920 };

export async function openCamera(lines, deviceId) {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new SourceError("insecure");
  const video = {
    width: { ideal: WIDTH_OF[lines] },
    height: { ideal: Number(lines) },
    frameRate: { ideal: 30, max: 30 },
  };
  if (deviceId) video.deviceId = { exact: deviceId };
  else video.facingMode = "user";
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    throw new SourceError(CAMERA_ERRORS[error.name] ?? "camera-failed", error);
  }
}

export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter((device) => device.kind === "videoinput" && device.deviceId);
}

export async function openSample(url) {
  const clip = document.createElement("video");
  Object.assign(clip, { muted: true, loop: true, playsInline: true, src: url });
  try {
    await clip.play();
  } catch (error) {
    throw new SourceError("sample-failed", error);
  }
  const capture = clip.captureStream ?? clip.mozCaptureStream;
  const stream = capture ? capture.call(clip) : canvasStream(clip);
  for (const track of stream.getAudioTracks()) stream.removeTrack(track);
  const [track] = stream.getVideoTracks();
  if (!track) throw new SourceError("sample-failed");
  const stop = track.stop.bind(track);
  track.stop = () => {
    stop();
    clip.pause();
    clip.removeAttribute("src");
    clip.load();
  };
  return stream;
}

// Safari's video elements have no captureStream.
function canvasStream(clip) {
  const canvas = document.createElement("canvas");
  canvas.width = clip.videoWidth;
  canvas.height = clip.videoHeight;
  const pen = canvas.getContext("2d");
  const draw = () => {
    if (!clip.getAttribute("src")) return;
    pen.drawImage(clip, 0, 0);
    requestAnimationFrame(draw);
  };
  draw();
  return canvas.captureStream(25);
}
