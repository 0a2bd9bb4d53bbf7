#!/usr/bin/env bash
# Takes a DICOM series through a real PACS and back: starts an Orthanc of its own, stores the series, fetches it,
# restores it, stores the result, and checks that the study now holds both. The server is stopped in any case.
#
#   scripts/orthanc_round_trip.sh [--by dicom|web] FOLDER [-- COMMAND ...]
#
#   FOLDER        one series, as files
#   --by dicom    C-STORE, C-FIND and C-GET with DCMTK (the default)
#   --by web      DICOMweb: STOW-RS, QIDO-RS and WADO-URI with curl
#   COMMAND       what restores, with @in and @out for the folder it reads and the one it makes the series in; by default
#                 reseda medical restore @in -o @out --task denoise
#
# The server keeps its files in a temporary folder, has free ports above 20000 and answers this machine alone.
# Exit code 77: Orthanc, its DICOMweb plugin or DCMTK is not installed (scripts/setup.sh installs them).
set -euo pipefail

say() { printf 'round trip: %s\n' "$*" >&2; }
die() { say "failed: $*"; exit 1; }

by=dicom source='' command=(reseda medical restore @in -o @out --task denoise)
while [ $# -gt 0 ]; do
  case $1 in
    --by) by=${2:-}; shift 2 ;;
    --) shift; command=("$@"); break ;;
    -*) say "unknown option $1"; exit 2 ;;
    *) source=$1; shift ;;
  esac
done
[[ $by =~ ^(dicom|web)$ && -d $source && ${#command[@]} -gt 0 ]] ||
  { say "usage: orthanc_round_trip.sh [--by dicom|web] FOLDER [-- COMMAND ... @in ... @out ...]"; exit 2; }

PATH=$PATH:/usr/sbin:$(cd "$(dirname "$0")/.." && pwd)/build/release/bin
for tool in Orthanc curl dcmsend findscu getscu dcmdump; do
  command -v $tool >/dev/null || { say "skipped: $tool is not installed (Debian: orthanc, curl, dcmtk)"; exit 77; }
done
plugin=${RESEDA_ORTHANC_PLUGINS:-/usr/share/orthanc/plugins}/libOrthancDicomWeb.so
[ $by = dicom ] || [ -e "$plugin" ] || { say "skipped: $plugin is missing (Debian: orthanc-dicomweb)"; exit 77; }

work=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

# --- the server

free_port() {
  local port
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 30000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
  done
  die "no free port found"
}

start() {
  http=$(free_port) dicom=$(free_port)
  cat >"$work/orthanc.json" <<JSON
{
  "Name": "reseda",
  "StorageDirectory": "$work/storage", "IndexDirectory": "$work/storage",
  "HttpPort": $http, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
  "DicomPort": $dicom, "DicomAet": "ORTHANC", "DicomCheckCalledAet": true, "DicomCheckModalityHost": true,
  "DicomAlwaysAllowEcho": false, "DicomAlwaysAllowStore": false,
  "DicomModalities": {"reseda": ["RESEDA", "127.0.0.1", 104]},
  "OverwriteInstances": false,
  "Plugins": [$([ $by = dicom ] || printf '"%s"' "$plugin")],
  "DicomWeb": {"Enable": true, "Root": "/dicom-web/", "EnableWado": true, "WadoRoot": "/wado"}
}
JSON
  rest=http://127.0.0.1:$http
  setpriv --pdeathsig TERM Orthanc "$work/orthanc.json" >"$work/orthanc.log" 2>&1 &
  server=$!
  for _ in {1..100}; do
    curl -fsS -o /dev/null "$rest/system" 2>/dev/null && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
  return 1
}

# --- the two ways: store FOLDER; fetch SERIES_UID FOLDER; visible_series

dicom_store() { dcmsend -q +sd -aet RESEDA -aec ORTHANC 127.0.0.1 "$dicom" "$1"; }

dicom_fetch() {
  getscu -q -S -aet RESEDA -aec ORTHANC -od "$2" -k QueryRetrieveLevel=SERIES -k "StudyInstanceUID=$study" \
    -k "SeriesInstanceUID=$1" 127.0.0.1 "$dicom"
}

dicom_visible_series() {
  findscu -S -aet RESEDA -aec ORTHANC -k QueryRetrieveLevel=SERIES -k "StudyInstanceUID=$study" \
    -k SeriesInstanceUID 127.0.0.1 "$dicom" 2>&1 | sed -n 's/.*(0020,000e) UI \[\([0-9.]*\).*/\1/p'
}

web_store() {
  local file
  for file in "$1"/*; do
    printf -- '--slice\r\nContent-Type: application/dicom\r\n\r\n'
    cat "$file"
    printf '\r\n'
  done >"$work/body"
  printf -- '--slice--\r\n' >>"$work/body"
  curl -fsS -o "$work/stored.json" --data-binary "@$work/body" -H 'Accept: application/dicom+json' \
    -H 'Content-Type: multipart/related; type="application/dicom"; boundary=slice' "$rest/dicom-web/studies"
  ! grep -q '"00081197"' "$work/stored.json" || die "STOW-RS: $(cat "$work/stored.json")"  # FailureReason
}

# The values of an element in a QIDO-RS answer.
json_values() { tr -d ' \t\r\n' | grep -o "\"$1\":{[^}]*}" | sed 's/.*\["\([^"]*\)"\].*/\1/'; }

web_fetch() {
  local uid
  curl -fsS -H 'Accept: application/dicom+json' "$rest/dicom-web/studies/$study/series/$1/instances" |
    json_values 00080018 >"$work/instances"
  while read -r uid; do
    curl -fsS -o "$2/$uid.dcm" "$rest/wado?requestType=WADO&studyUID=$study&seriesUID=$1&objectUID=$uid&contentType=application/dicom"
  done <"$work/instances"
}

web_visible_series() {
  curl -fsS -H 'Accept: application/dicom+json' "$rest/dicom-web/studies/$study/series" | json_values 0020000E
}

# --- what is checked, by DCMTK on files and by REST on the server

# The different values of an element in the files of a folder, one a line.
values() { dcmdump -q +sd +sb 7fe0,0010 +P "$2" "$1" 2>/dev/null | sed -n 's/^([^[]*\[\([^]]*\)\].*/\1/p' | sort -u; }

# "SOPInstanceUID  checksum of the pixel data" of every file of a folder.
pixels() {
  local file raw=$work/raw
  for file in "$1"/*; do
    rm -rf "$raw" && mkdir "$raw"
    dcmdump -q +P 0008,0018 +P 7fe0,0010 +W "$raw" "$file" | sed -n 's/^(0008,0018).*\[\(.*\)\].*/\1/p' | tr '\n' ' '
    cat "$raw"/* | cksum
  done | sort
}

# Orthanc's own identifiers of what matches: rest_find LEVEL TAG VALUE
rest_find() {
  curl -fsS "$rest/tools/find" -d "{\"Level\": \"$1\", \"Query\": {\"$2\": \"$3\"}}" |
    grep -oE '[0-9a-f]{8}(-[0-9a-f]{8}){4}' || true
}

count() { wc -l | tr -d ' '; }

expect() { # WHAT GOT WANTED
  [ "$2" = "$3" ] || die "$1: got '$2', expected '$3'"
}

start || start || start || die "Orthanc does not start: $(tail -n 3 "$work/orthanc.log" | tr '\n' ' ')"

study=$(values "$source" 0020,000d) old=$(values "$source" 0020,000e) frame=$(values "$source" 0020,0052)
slices=$(values "$source" 0008,0018 | count)
[ "$(wc -w <<<"$old")" = 1 ] || die "$source: holds $(wc -w <<<"$old") series, expected one"

${by}_store "$source" || die "cannot store $source"
expect "series in the study before" "$(${by}_visible_series)" "$old"
mkdir "$work/in" "$work/back"
${by}_fetch "$old" "$work/in"
expect "instances fetched" "$(values "$work/in" 0008,0018 | count)" "$slices"

command=("${command[@]//@in/$work/in}")
"${command[@]//@out/$work/out}" || die "the command ended with exit code $?"
# reseda keeps a folder for each series, and its records beside them.
out=$(find "$work/out" -type f ! -name '*.jsonl' -printf '%h\n' | sort -u)
[ "$(count <<<"$out")" = 1 ] && [ -d "$out" ] || die "the command made no single series: '$out'"
new=$(values "$out" 0020,000e)
${by}_store "$out" || die "cannot store the result"

expect "series in the study" "$(${by}_visible_series | sort)" "$(printf '%s\n' "$old" "$new" | sort)"
expect "series by REST" "$(rest_find Series StudyInstanceUID "$study" | count)" 2
expect "studies by REST" "$(curl -fsS "$rest/studies" | grep -c -- -)" 1
[ "$new" != "$old" ] || die "the new series has the old one's UID"
expect "instances of the new series by REST" "$(rest_find Instance SeriesInstanceUID "$new" | count)" "$slices"
expect "instances of the old series by REST" "$(rest_find Instance SeriesInstanceUID "$old" | count)" "$slices"
${by}_fetch "$new" "$work/back"
expect "study of the new series" "$(values "$work/back" 0020,000d)" "$study"
expect "frame of reference of the new series" "$(values "$work/back" 0020,0052)" "$frame"
expect "pixel data of the new series" "$(pixels "$work/back")" "$(pixels "$out")"
[ "$(pixels "$work/in" | cut -d' ' -f2- | sort)" != "$(pixels "$out" | cut -d' ' -f2- | sort)" ] ||
  die "nothing was restored"
say "done by $by: $slices slices, series $new beside $old"
