"""Reads the retouched picture out of the page, as it is shown."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Page

AVERAGE = """
(count) => new Promise((resolve) => {
  const video = document.getElementById("returned");
  const canvas = document.createElement("canvas");
  const [width, height] = [video.videoWidth, video.videoHeight];
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const sum = new Uint16Array(width * height * 3);
  let seen = 0;
  const add = () => {
    pen.drawImage(video, 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    for (let from = 0, to = 0; from < data.length; from += 4) {
      sum[to++] += data[from];
      sum[to++] += data[from + 1];
      sum[to++] += data[from + 2];
    }
    if (++seen < count) {
      video.requestVideoFrameCallback(add);
      return;
    }
    const reader = new FileReader();
    reader.onload = () => resolve({ width, height, data: reader.result.split(",")[1] });
    reader.readAsDataURL(new Blob([sum.buffer]));
  };
  video.requestVideoFrameCallback(add);
})
"""


def mean_picture(page: Page, frames: int = 20) -> NDArray[np.float32]:
    """(H, W, 3) float32 RGB 0..255: the mean of the next `frames` returned frames (at most 257).

    A mean, because each frame alone carries the codec's noise.
    """
    answer = page.evaluate(AVERAGE, frames)
    sums = np.frombuffer(base64.b64decode(answer["data"]), np.uint16)
    return (sums.reshape(answer["height"], answer["width"], 3) / frames).astype(np.float32)


def luma(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) float32 0..255, BT.601."""
    return picture @ np.array([0.299, 0.587, 0.114], np.float32)
