# The service on CPUs, and with --target nvidia on NVIDIA GPUs. See docs/operations.md; it needs a token:
#   docker build -t stream-retouch .
#   docker run --rm -p 8080:8080 -p 50000-50199:50000-50199/udp \
#     -e STREAM_RETOUCH_TOKEN=A-LONG-SECRET-OF-YOURS -e STREAM_RETOUCH_ADVERTISE=ADDRESS-OF-THIS-HOST stream-retouch
FROM python:3.12-slim AS service

# A further wheel index for torch; with the CPU one (see README.md) the image is gigabytes smaller:
#   docker build --build-arg TORCH_INDEX=URL -t stream-retouch .
ARG TORCH_INDEX=

# More threads than one each only take the cores from the video.
ENV OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY stream_retouch stream_retouch
COPY engines engines
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt . \
    && useradd --create-home retouch \
    && mkdir /home/retouch/.cache && chown retouch /home/retouch/.cache
# Who recognises speech, from wheels only; without one for this machine it hears less or stays off, and everything else works.
RUN for one in pocketsphinx 'kaldifst kaldi-decoder'; do \
      pip install --no-cache-dir -c constraints.txt --no-deps --only-binary :all: $one || echo "no $one" >&2; \
    done

USER retouch
WORKDIR /home/retouch
# The engine is built for the CPU at the first start and kept here.
VOLUME /home/retouch/.cache
EXPOSE 8080 50000-50199/udp

# The address is open to the network, so the service refuses to start without STREAM_RETOUCH_TOKEN.
# The environment rather than flags: a flag after the image's name comes first.
ENV STREAM_RETOUCH_HOST=0.0.0.0 STREAM_RETOUCH_PORT=8080 STREAM_RETOUCH_UDP_PORTS=50000-50199
ENTRYPOINT ["stream-retouch", "serve"]

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['STREAM_RETOUCH_PORT'] + '/healthz', timeout=4)"]

# On NVIDIA GPUs, with the host's driver and NVIDIA Container Toolkit. Engines are built once for the GPU (docs/engines.md):
#   docker build --target nvidia -t stream-retouch:nvidia .
#   docker run --rm --gpus all -v stream-retouch-cache:/home/retouch/.cache --entrypoint python stream-retouch:nvidia \
#     -m engines.build --engine tensorrt --size 512
# TORCH_INDEX stays empty here: torch's own wheel has CUDA.
FROM service AS nvidia

# TensorRT's packages fetch its libraries from NVIDIA while they are installed. Without them, and with torch alone:
#   docker build --target nvidia --build-arg EXTRA=onnx -t stream-retouch:nvidia .
ARG EXTRA=tensorrt

USER root
# The engine of torch alone is compiled with it.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
RUN pip install --no-cache-dir -c constraints.txt ".[$EXTRA]"
USER retouch
WORKDIR /home/retouch

# compute and utility for the network, video for NVENC.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video STREAM_RETOUCH_ENGINE=auto

# The last one is what a plain `docker build .` gives.
FROM service AS cpu
