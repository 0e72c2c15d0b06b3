{{/* The worker, in a pod of its own or beside the gateway; ends where its volumes are listed. */}}
{{- define "pecia.workerContainer" -}}
{{- $worker := .Values.worker -}}
{{- $secrets := list "DATABASE_URL" "REDIS_URL" "REDIS_PASSWORD" "CF_R2_ENDPOINT" "CF_R2_ACCESS_KEY_ID" "CF_R2_SECRET_ACCESS_KEY" "CF_R2_BUCKET_NAME" "BULI2_API_URL" "BULI2_CALLBACK_URL" "BULI2_API_KEY" "BULI2_SIGNATURE_SECRET" -}}
{{ include "pecia.container" (list . "worker" $worker) }}
ports:
  - {name: worker, containerPort: 8080}
env:
  {{- include "pecia.home" . | nindent 2 }}
  {{- with include "pecia.internalKeyEnv" . | trim }}{{ . | nindent 2 }}{{ end }}
  {{- with include "pecia.backendEnv" (list . $secrets) | trim }}{{ . | nindent 2 }}{{ end }}
{{ include "pecia.envFrom" (list (list (print (include "pecia.fullname" .) "-worker")) $worker.envFromSecrets) }}
startupProbe:
  httpGet: {path: /live, port: worker}
  periodSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /live, port: worker}
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 3
{{- if include "pecia.hasExternalJobs" . }}
# not beside the gateway: pictures are read while the database is away
readinessProbe:
  httpGet: {path: /ready, port: worker}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}
resources:
  {{- toYaml $worker.resources | nindent 2 }}
volumeMounts:
{{- end -}}

{{/* Deliveries that are under way end after the last page, and a worker beside the gateway stops with it. */}}
{{- define "pecia.workerGraceSeconds" -}}
{{- add 20 (include "pecia.drainSeconds" .) -}}
{{- end -}}

{{- define "pecia.localGraceSeconds" -}}
{{- max (include "pecia.gatewayGraceSeconds" .) (include "pecia.workerGraceSeconds" .) -}}
{{- end -}}
