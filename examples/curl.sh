#!/usr/bin/env bash
# Call the page with curl alone: send a request, get an event id, read its stream.
#   bash examples/curl.sh [URL] [FOLDER]
set -euo pipefail
url=${1:-http://127.0.0.1:7860}
folder=${2:-curl-pictures}
mkdir -p "$folder"

# call ENDPOINT JSON: print the stream's last event as JSON. Parameters left out take their defaults.
call() {
  local id
  id=$(curl -fsS "$url/gradio_api/call/v2/$1" -H 'Content-Type: application/json' -d "$2" | sed 's/.*"event_id": *"\([^"]*\)".*/\1/')
  curl -fsSN "$url/gradio_api/call/$1/$id" | sed -n 's/^data: //p' | tail -n 1
}

call layers '{}' | head -c 200; echo ' …'

# The sheet is the first of two results: a file with a `url` to download.
answer=$(call filters '{"layer": "conv1_1"}')
curl -fsS -o "$folder/filters.png" "$(sed 's/.*"url": *"\([^"]*\)".*/\1/' <<<"$answer")"
echo "filters: $folder/filters.png"

# Each event of the stream holds a picture and its record. The last record has the score.
id=$(curl -fsS "$url/gradio_api/call/v2/maximize" -H 'Content-Type: application/json' \
  -d '{"layer": "conv2_1", "channel": 3, "steps": 12, "size": 96}' | sed 's/.*"event_id": *"\([^"]*\)".*/\1/')
curl -fsSN "$url/gradio_api/call/maximize/$id" | sed -n 's/^data: .*"step": \([0-9]*\).*"activation": \([^,]*\),.*/step \1, activation \2/p'
