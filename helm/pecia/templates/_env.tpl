{{/* The environment of each service. Names are those of its settings.py; tests load them there. */}}

{{/* A value as a ConfigMap wants it: numbers keep their digits. */}}
{{- define "pecia.data" -}}
{{- range $name, $value := . }}
{{ $name }}: {{ if kindIs "string" $value }}{{ $value | quote }}{{ else }}{{ toJson $value | quote }}{{ end }}
{{- end }}
{{- end -}}

{{/* How gateway and worker find the ocr service. */}}
{{- define "pecia.env.caller" -}}
PECIA_OCR__TARGET: {{ include "pecia.fullname" . }}-ocr:50051
PECIA_OCR__TIMEOUT_S: {{ .Values.inferenceTimeoutSeconds | int64 }}
{{- if .Values.tls.enabled }}
PECIA_OCR__TLS__CA_FILE: /etc/pecia/client-tls/ca.crt
PECIA_OCR__TLS__CERT_FILE: /etc/pecia/client-tls/tls.crt
PECIA_OCR__TLS__KEY_FILE: /etc/pecia/client-tls/tls.key
PECIA_OCR__TLS__SERVER_NAME: {{ include "pecia.fullname" . }}-ocr
{{- end }}
{{- if .Values.assertion.existingSecret }}
PECIA_OCR__ASSERTION__KEY_FILE: /etc/pecia/signing/signing.pem
{{- end }}
{{- end -}}

{{/* Where jobs live, for gateway and worker. */}}
{{- define "pecia.env.jobs" -}}
{{- $jobs := .Values.jobs -}}
PECIA_JOBS__MAX_STORAGE_MB: {{ $jobs.maxStorageMb | int64 }}
PECIA_JOBS__MAX_COUNT: {{ $jobs.maxCount | int64 }}
PECIA_JOBS__MAX_AGE_HOURS: {{ $jobs.maxAgeHours }}
{{- if include "pecia.hasLocalJobs" . }}
PECIA_DATABASE__URL: sqlite:////data/jobs.sqlite3
PECIA_BLOBS__URL: /data/blobs
{{- else }}
PECIA_DATABASE__POOL_SIZE: {{ $jobs.database.poolSize | int64 }}
PECIA_DATABASE__POOLED: {{ $jobs.database.pooled }}
PECIA_BLOBS__REGION: {{ $jobs.blobsRegion | quote }}
{{- with $jobs.blobsUrl }}
PECIA_BLOBS__URL: {{ . | quote }}
{{- end }}
{{- if $jobs.webhookKeysSecret }}
PECIA_WEBHOOKS__KEYS_FILE: /etc/pecia/webhooks/keys
{{- end }}
{{- end }}
{{- end -}}

{{- define "pecia.env.gateway" -}}
{{- $gateway := .Values.gateway -}}
PECIA_TELEMETRY__LOG_LEVEL: {{ .Values.logLevel }}
PECIA_HTTP__DRAIN_S: {{ include "pecia.drainSeconds" . }}
PECIA_HTTP__CORS_ORIGINS: {{ $gateway.corsOrigins | quote }}
PECIA_LIMITS__MAX_UPLOAD_MB: {{ $gateway.maxUploadMb }}
PECIA_LIMITS__MAX_BUFFERED_MB: {{ $gateway.maxBufferedMb | int64 }}
PECIA_MODELS__DEFAULT_MODEL: {{ $gateway.defaultModel | quote }}
PECIA_JOBS__ENABLED: {{ .Values.jobs.enabled }}
{{- if .Values.auth.existingSecret }}
PECIA_AUTH__KEYS_FILE: /etc/pecia/keys/keys.toml
{{- end }}
{{- if ne .Values.audit.output "none" }}
PECIA_AUDIT__FILE: "-"
{{- end }}
{{ include "pecia.env.caller" . }}
{{- if .Values.jobs.enabled }}
{{ include "pecia.env.jobs" . }}
{{- end }}
{{- end -}}

{{- define "pecia.env.worker" -}}
PECIA_TELEMETRY__LOG_LEVEL: {{ .Values.logLevel }}
PECIA_WORKER__DRAIN_S: {{ include "pecia.drainSeconds" . }}
PECIA_WORKER__MAX_CONCURRENCY: {{ .Values.worker.maxConcurrency | int64 }}
PECIA_RENDER__WORKERS: {{ .Values.worker.renderWorkers | int64 }}
PECIA_INTAKE__ENABLED: {{ and .Values.worker.intake (ne (include "pecia.backendSecret" .) "") }}
{{- if include "pecia.hasExternalJobs" . }}
PECIA_DOCUMENTS__POOLED: {{ .Values.jobs.database.pooled }}
{{- end }}
{{ include "pecia.env.caller" . }}
{{ include "pecia.env.jobs" . }}
{{- end -}}

{{/* What all ocr pods have in common, the operator's too. */}}
{{- define "pecia.env.ocr" -}}
PECIA_TELEMETRY__LOG_LEVEL: {{ .Values.logLevel }}
PECIA_TELEMETRY__METRICS_PORT: 9090
PECIA_GRPC__HOST: 0.0.0.0
PECIA_GRPC__PORT: 50051
PECIA_INFERENCE_TIMEOUT_S: {{ .Values.inferenceTimeoutSeconds | int64 }}
PECIA_LIMITS__MAX_PICTURE_BYTES: {{ .Values.ocr.maxPictureBytes | int64 }}
{{- if .Values.auth.existingSecret }}
PECIA_AUTH__KEYS_FILE: /etc/pecia/keys/keys.toml
{{- end }}
{{- if .Values.ocr.modelKeySecret }}
PECIA_DEEPSEEK__SIGNING_KEY_FILE: /etc/pecia/model-key/signing.pub
{{- end }}
{{- if ne .Values.audit.output "none" }}
PECIA_AUDIT__FILE: "-"
{{- end }}
{{- if .Values.assertion.verifyingSecret }}
PECIA_ASSERTION__KEYS_FILE: /etc/pecia/verifying/verifying.pem
{{- end }}
{{- if .Values.tls.enabled }}
PECIA_TLS__CERT_FILE: /etc/pecia/tls/tls.crt
PECIA_TLS__KEY_FILE: /etc/pecia/tls/tls.key
PECIA_TLS__CLIENT_CA_FILE: /etc/pecia/tls/ca.crt
PECIA_GRPC__HEALTH_PORT: 50052
{{- end }}
{{- end -}}

{{/* What one engine adds: its entry of `ocr.engines`, defaults filled in. */}}
{{- define "pecia.env.engine" -}}
PECIA_ENGINES__RAPID: {{ has "rapid" .engines }}
PECIA_ENGINES__RAPID_WORKERS: {{ .workers | int64 }}
PECIA_ENGINES__TESSERACT: {{ has "tesseract" .engines }}
PECIA_ENGINES__LOAD_TIMEOUT_S: {{ .startupSeconds | int64 }}
PECIA_ENGINES__EXIT_WHEN_BROKEN: {{ .exitWhenBroken }}
PECIA_GPU_ENABLED: {{ has "deepseek" .engines }}
{{- if has "deepseek" .engines }}
{{- with .deepseekServerUrl }}
PECIA_DEEPSEEK__SERVER_URL: {{ . | quote }}
{{- else }}
PECIA_MODEL_PATH: /models/{{ .weightsPath }}
PECIA_DEEPSEEK__DEVICE: {{ ternary "cuda" "auto" (gt (int .gpus) 0) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "pecia.env.ui" -}}
PECIA_TELEMETRY__LOG_LEVEL: {{ .Values.logLevel }}
PECIA_API__BASE: http://{{ include "pecia.fullname" . }}-gateway:8000
PECIA_API__TIMEOUT_S: {{ .Values.inferenceTimeoutSeconds | int64 }}
PECIA_UI__MAX_UPLOAD_MB: {{ .Values.gateway.maxUploadMb }}
{{- end -}}

{{/* A ConfigMap's data with what the user adds: list of root, template and the user's. */}}
{{- define "pecia.env" -}}
{{- $made := include (index . 1) (index . 0) | fromYaml -}}
{{- include "pecia.data" (mergeOverwrite $made (deepCopy (index . 2))) | trim -}}
{{- end -}}

{{/* Variables that come out of the backend's Secret: list of root and names. Without a database, or without a
     bucket, jobs would be written where nobody else sees them: those a pod does not start without. */}}
{{- define "pecia.backendEnv" -}}
{{- $root := index . 0 -}}
{{- $needed := list -}}
{{- if include "pecia.hasExternalJobs" $root -}}
{{- $needed = ternary (list "DATABASE_URL") (list "DATABASE_URL" "CF_R2_BUCKET_NAME") (ne $root.Values.jobs.blobsUrl "") -}}
{{- end -}}
{{- with include "pecia.backendSecret" $root }}
{{- $secret := . -}}
{{- range index $ 1 }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ . }}, optional: {{ not (has . $needed) }}}}
{{- end }}
{{- end }}
{{- end -}}

{{/* The audit log of one pod: what it is keyed with, and, on a volume, a file of its own. */}}
{{- define "pecia.auditEnv" -}}
{{- with .Values.audit }}
{{- if and .existingSecret (ne .output "none") }}
- name: PECIA_AUDIT__SECRET
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: audit-secret}}
{{- end }}
{{- if eq .output "claim" }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: PECIA_AUDIT__FILE, value: /audit/$(POD_NAME).jsonl}
{{- end }}
{{- end }}
{{- end -}}

{{- define "pecia.auditMount" -}}
{{- if eq .Values.audit.output "claim" }}
- {name: audit, mountPath: /audit}
{{- end }}
{{- end -}}

{{- define "pecia.auditVolume" -}}
{{- if eq .Values.audit.output "claim" }}
- name: audit
  persistentVolumeClaim: {claimName: {{ .Values.audit.existingClaim }}}
{{- end }}
{{- end -}}

{{/* The key by which a caller is known at the ocr service. */}}
{{- define "pecia.internalKeyEnv" -}}
{{- with .Values.auth.internalKeySecret }}
- name: PECIA_OCR__BEARER_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $.Values.auth.internalKeyName }}}}
{{- end }}
{{- end -}}

{{/* The operator is told whatever its pods have in common with the chart's. */}}
{{- define "pecia.env.operator" -}}
{{- $name := include "pecia.fullname" . -}}
{{- $ocr := .Values.ocr.defaults -}}
{{- $folders := dict -}}
{{- range $folder, $secret := fromJson (include "pecia.folders" (dict "root" . "which" (list "keys" "tls" "verifying" "model-key"))) -}}
{{- $_ := set $folders $secret (print "/etc/pecia/" $folder) -}}
{{- end -}}
PECIA_TELEMETRY__LOG_LEVEL: {{ .Values.logLevel }}
PECIA_PROBE__HOST: 0.0.0.0
PECIA_PROBE__PORT: 8080
PECIA_OPERATOR__NAMESPACE: {{ .Release.Namespace }}
PECIA_OPERATOR__FLEET: {{ include "pecia.fleet" . }}
PECIA_OPERATOR__OCR_IMAGE: {{ include "pecia.image" (list . $ocr.repository $ocr.tag $ocr.digest) | quote }}
PECIA_OPERATOR__OCR_GPU_IMAGE: {{ include "pecia.image" (list . .Values.operator.gpuRepository "" "") | quote }}
PECIA_OPERATOR__WEIGHTS_IMAGE: {{ with .Values.operator.image }}{{ include "pecia.image" (list $ .repository .tag .digest) | quote }}{{ end }}
PECIA_OPERATOR__IMAGE_PULL_POLICY: {{ .Values.image.pullPolicy }}
PECIA_OPERATOR__IMAGE_PULL_SECRETS: {{ toJson .Values.image.pullSecrets | quote }}
PECIA_OPERATOR__SERVICE_ACCOUNT: {{ include "pecia.account" (list . "ocr" .Values.ocr.serviceAccount) }}
PECIA_OPERATOR__OCR_ENV: {{ $name }}-ocr-env
PECIA_OPERATOR__OCR_SECRETS: {{ toJson $folders | quote }}
PECIA_OPERATOR__MODEL_KEY_SECRET: {{ .Values.ocr.modelKeySecret | quote }}
PECIA_OPERATOR__PROBE_PORT: {{ ternary 50052 50051 .Values.tls.enabled }}
PECIA_OPERATOR__DRAIN_S: {{ .Values.inferenceTimeoutSeconds | int64 }}
PECIA_OPERATOR__PRESTOP_S: {{ .Values.preStopSeconds | int64 }}
{{- end -}}
