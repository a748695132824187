"""FFmpeg's WHIP muxer, as PyAV brings it, publishing a grey picture and a tone until its standard
input ends. A program of its own: PyAV holds the interpreter while FFmpeg connects.

    python ffmpeg_publisher.py URL [TOKEN]
"""

from __future__ import annotations

import datetime
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SIZE = (320, 240)
FPS, SAMPLE_HZ = 30, 48_000
GOP_FRAMES = 15
"""This client cannot be asked for a key frame: whoever joins waits for its next one."""


def certificate(folder: Path) -> tuple[str, str]:
    """Files of a P-256 certificate and its key: FFmpeg's own one uses a curve that OpenSSL refuses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begins = datetime.datetime(2026, 1, 1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begins)
        .not_valid_after(begins + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(paths[0]), str(paths[1])


def publish(url: str, token: str | None, enough: threading.Event) -> None:
    """Publishes in real time until `enough`."""
    with tempfile.TemporaryDirectory() as folder:
        certificate_file, key_file = certificate(Path(folder))
        options = {"cert_file": certificate_file, "key_file": key_file}
        options |= {} if token is None else {"authorization": token}
        with av.open(url, "w", format="whip", options=options) as out:
            video = out.add_stream("libx264", rate=FPS)
            video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
            video.options = {"tune": "zerolatency", "preset": "ultrafast", "profile": "baseline"}
            video.gop_size = GOP_FRAMES
            audio = out.add_stream("libopus", rate=SAMPLE_HZ)
            audio.layout, audio.bit_rate = "stereo", 64_000
            began, index = time.monotonic(), 0
            while not enough.is_set():
                for packet in (*video.encode(grey(index)), *audio.encode(tone(index))):
                    out.mux(packet)
                index += 1
                enough.wait(max(0.0, began + index / FPS - time.monotonic()))


def grey(index: int) -> av.VideoFrame:
    """Picture number `index`."""
    planes = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
    planes[: SIZE[1], ::8] = 60
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = index, Fraction(1, FPS)
    return frame


def tone(index: int) -> av.AudioFrame:
    """A picture's share of a tone of 440 Hz."""
    count = SAMPLE_HZ // FPS
    at = np.arange(index * count, (index + 1) * count)
    wave = (8_000 * np.sin(2 * np.pi * 440 * at / SAMPLE_HZ)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave.repeat(2).reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate, frame.pts = SAMPLE_HZ, index * count
    frame.time_base = Fraction(1, SAMPLE_HZ)
    return frame


if __name__ == "__main__":
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    publish(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None, over)
