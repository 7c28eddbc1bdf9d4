#!/bin/bash
# Starts JAR once, without broker and database, asks it for a page when it listens on HTTP, and stops it again, so that
# the JVM leaves the classes it loaded in /app/classes.jsa. Run while an image is being built.
# usage: archive-classes.sh JAR PATTERN      PATTERN: the line of the log that says the start is over
set -euo pipefail
jar=$1 pattern=$2
log=$(mktemp)
cd /tmp
nowhere=127.0.0.1:1
FROST_HTTP_PORT=0 \
serviceRootUrl=http://localhost:8080/FROST-Server \
plugins_coreModel_enable=true \
plugins_openApi_enable=true \
persistence_persistenceManagerImplementationClass=de.fraunhofer.iosb.ilt.frostserver.persistence.pgjooq.PostgresPersistenceManager \
persistence_db_driver=org.postgresql.Driver \
persistence_db_url="jdbc:postgresql://$nowhere/none" \
persistence_db_username=none \
persistence_db_password=none \
bus_busImplementationClass=de.fraunhofer.iosb.ilt.frostserver.messagebus.MqttMessageBus \
bus_mqttBroker="tcp://$nowhere" \
mqtt_Enabled=true \
mqtt_mqttServerImplementationClass=de.fraunhofer.iosb.ilt.frostserver.mqtt.moquette.MoquetteMqttServer \
mqtt_Host=127.0.0.1 mqtt_internalHost=127.0.0.1 mqtt_Port=0 mqtt_WebsocketPort=0 \
mqtt_persistentStoreType=memory \
mqtt_WaitForEnter=false \
    java -Xlog:cds=off -Xlog:cds+dynamic=off -XX:ArchiveClassesAtExit=/app/classes.jsa \
    -Dlogback.configurationFile=/app/logback.xml -jar "$jar" > "$log" 2>&1 &
java=$!
for _ in $(seq 600); do
    grep -q "$pattern" "$log" && break
    kill -0 "$java" || { cat "$log" >&2; exit 1; }
    sleep 0.1
done
listening=$(sed -n 's/.*Listening on port \([0-9]*\).*/\1/p' "$log")
if [ -n "$listening" ]; then
    exec 3<> "/dev/tcp/127.0.0.1/$listening"
    printf 'GET /FROST-Server/v1.1 HTTP/1.0\r\n\r\n' >&3
    grep -q '"Datastreams"' <&3
fi
kill "$java"
wait "$java" || true
chmod 0444 /app/classes.jsa
