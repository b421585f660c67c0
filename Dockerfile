# syntax=docker/dockerfile:1
# docker build -t streamer .        see configs/compose.yaml for how it is run

FROM node:20-trixie-slim AS pages
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build

FROM python:3.13-slim-trixie AS program
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv /opt/streamer \
 && /opt/streamer/bin/pip install --no-cache-dir -r requirements.txt "setuptools>=77"
COPY pyproject.toml README.md LICENSE ./
COPY streamer/ streamer/
RUN /opt/streamer/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/streamer/bin/python -m compileall -q /opt/streamer/lib \
 && /opt/streamer/bin/pip uninstall -q -y setuptools pip

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="Streamer" \
      org.opencontainers.image.description="Self-hosted live broadcasting for public venues" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later"
RUN useradd --system --uid 10001 --home-dir /var/lib/streamer --create-home --shell /usr/sbin/nologin streamer
COPY --from=program /opt/streamer /opt/streamer
COPY --from=pages /src/web/dist /usr/share/streamer/pages
COPY configs/streamer.toml /usr/share/streamer/streamer.toml
ENV PATH=/opt/streamer/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STREAMER_DATA=/var/lib/streamer \
    STREAMER_WEB_DIST=/usr/share/streamer/pages \
    STREAMER_SERVER__HOST=0.0.0.0
USER streamer
VOLUME /var/lib/streamer
EXPOSE 8080/tcp
# The media host, the web process and the rooms are children: PID 1 drains them on SIGTERM.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["streamer"]
CMD ["serve"]
