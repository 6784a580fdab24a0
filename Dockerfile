# SOMA in a container: docs/CONTAINER.md says how it is run. tests/install/container.sh does all that stands here, in chroots.
FROM debian:12 AS build
COPY . /src
WORKDIR /src
RUN ./dev package

FROM debian:12-slim
COPY --from=build /src/build/package/soma-server*.deb /src/build/package/soma-client*.deb /packages/
# What jobs find: a shell and Python. More languages are more packages here.
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap python3-minimal /packages/*.deb && rm -rf /packages /var/lib/apt/lists/*
RUN install -d -o soma -g soma -m 711 /var/lib/soma && install -d -o soma -g soma -m 750 /run/soma
ENV SOMA_DATA=/var/lib/soma SOMA_LISTEN=ipc:///run/soma/somad.sock SOMA_SOCKET_MODE=0660
VOLUME /var/lib/soma
USER soma
# Health and metrics on $PORT, where the platform looks for them; flags may follow.
ENTRYPOINT ["/bin/sh", "-c", "exec somad --http \"0.0.0.0:${PORT:-8080}\" \"$@\"", "somad"]
