{{/* Scaling by the pages that wait or are read: list of root and pages for which there should be a pod. */}}
{{- define "pecia.pagesTrigger" -}}
- type: postgresql
  metadata:
    query: {{ include "pecia.pagesQuery" (index . 0) | quote }}
    targetQueryValue: {{ index . 1 | quote }}
    activationTargetQueryValue: "0"
  authenticationRef: {name: {{ include "pecia.fullname" (index . 0) }}-pages}
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
