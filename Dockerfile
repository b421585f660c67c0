# docker build -t streamer .        see configs/compose.yaml for how it is run
#
# Images are pinned by digest: the same bytes wherever it is built. To renew one, ask for the digest that the tag has now
# (docker buildx imagetools inspect python:3.13-slim-trixie) and change it here, both times.

# Node 20.20.2
FROM node:20-trixie-slim@sha256:abfbe12cc943141a0c9e8c0a57d710df1dadd95d35e8662cc02958b284d1f35b AS pages
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build
RUN node scripts/sbom.mjs > /src/pages.cdx.json

# Python 3.13.15
FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS program
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv /opt/streamer \
 && /opt/streamer/bin/pip install --no-cache-dir -r requirements.txt "setuptools>=77"
# The list of the image's packages (CycloneDX, from the lock files). Its tool has an environment of its own.
RUN python -m venv /opt/bom \
 && /opt/bom/bin/pip install --no-cache-dir cyclonedx-bom==7.5.0 \
 && /opt/bom/bin/cyclonedx-py requirements --output-reproducible --of JSON -o /src/program.cdx.json requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY streamer/ streamer/
RUN /opt/streamer/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/streamer/bin/python -m compileall -q /opt/streamer/lib \
 && /opt/streamer/bin/pip uninstall -q -y setuptools pip

FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285
LABEL org.opencontainers.image.title="Streamer" \
      org.opencontainers.image.description="Self-hosted live broadcasting for public venues" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later"
# pg_dump and pg_restore: "streamer backup" calls them where the data is in PostgreSQL (17, as in Debian 13).
RUN apt-get update \
 && apt-get install -y --no-install-recommends postgresql-client \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/streamer --create-home --shell /usr/sbin/nologin streamer
COPY --from=program /opt/streamer /opt/streamer
COPY --from=pages /src/web/dist /usr/share/streamer/pages
COPY --from=program /src/program.cdx.json /usr/share/streamer/sbom/
COPY --from=pages /src/pages.cdx.json /usr/share/streamer/sbom/
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
