{{/* Scaling by what PostgreSQL is asked: list of root, the name of the query, and pages for which there should be
     a pod. */}}
{{- define "pecia.pagesTrigger" -}}
- type: postgresql
  metadata:
    query: {{ include (index . 1) (index . 0) | quote }}
    targetQueryValue: {{ index . 2 | quote }}
    activationTargetQueryValue: "0"
  authenticationRef: {name: {{ include "pecia.fullname" (index . 0) }}-pages}
{{- end -}}

{{/* The rows that wait or are being read, for KEDA. The operator asks in the same words (a test sees to it). */}}
{{- define "pecia.pagesQuery" -}}
SELECT (SELECT count(*) FROM (SELECT 1 FROM pecia.page_ready LIMIT 100000) AS ready) + (SELECT count(*) FROM pecia.page WHERE due IS NOT NULL)
{{- end -}}

{{/* The same for workers, and 1 where no page waits but something else is due that nobody but a worker does: a job
     whose time has come, a delivery, blobs of jobs that were deleted, a job that is too old. */}}
{{- define "pecia.workQuery" -}}
{{- $now := "extract(epoch FROM now())" -}}
SELECT greatest(({{ include "pecia.pagesQuery" . }}), CASE WHEN EXISTS (SELECT 1 FROM pecia.job WHERE finished IS NULL AND (not_before IS NULL OR not_before <= {{ $now }})) OR EXISTS (SELECT 1 FROM pecia.outbox WHERE due <= {{ $now }}) OR EXISTS (SELECT 1 FROM pecia.trash WHERE due <= {{ $now }}) OR EXISTS (SELECT 1 FROM pecia.job WHERE finished < {{ $now }} - {{ mulf .Values.jobs.maxAgeHours 3600 }}) THEN 1 ELSE 0 END)
{{- end -}}

{{/* Whether the database is asked for waiting pages, by the chart's objects or by a model's. */}}
{{- define "pecia.usesKeda" -}}
{{- $uses := and (include "pecia.hasExternalJobs" .) (eq .Values.worker.autoscaling.kind "keda") -}}
{{- range fromJsonArray (include "pecia.engines" .) -}}
{{- $uses = or $uses (eq .autoscaling "keda") -}}
{{- end -}}
{{- range .Values.models -}}
{{- $uses = or $uses (and (include "pecia.hasExternalJobs" $) (ne (toJson (dig "scaling" "queue" "" .spec)) (toJson ""))) -}}
{{- end -}}
{{- if $uses }}true{{ end -}}
{{- end -}}

{{/* Whether some pod reads while no page waits: not where every engine and model may have none. */}}
{{- define "pecia.alwaysReads" -}}
{{- $reads := false -}}
{{- range fromJsonArray (include "pecia.engines" .) -}}
{{- $reads = or $reads (gt (int (ternary .replicas .minReplicas (eq .autoscaling "none"))) 0) -}}
{{- end -}}
{{- range .Values.models -}}
{{- $fewest := ternary (dig "scaling" "minReplicas" 1 .spec) (dig "replicas" 1 .spec) (hasKey .spec "scaling") -}}
{{- $reads = or $reads (gt (int $fewest) 0) -}}
{{- end -}}
{{- if $reads }}true{{ end -}}
{{- end -}}
