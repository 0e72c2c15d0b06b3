{{/* Scaling by the pages that wait or are read: list of root and pages for which there should be a pod. */}}
{{- define "pecia.pagesTrigger" -}}
- type: postgresql
  metadata:
    query: {{ include "pecia.pagesQuery" (index . 0) | quote }}
    targetQueryValue: {{ index . 1 | quote }}
    activationTargetQueryValue: "0"
  authenticationRef: {name: {{ include "pecia.fullname" (index . 0) }}-pages}
{{- end -}}

{{- define "pecia.usesKeda" -}}
{{- $uses := and (include "pecia.hasExternalJobs" .) (eq .Values.worker.autoscaling.kind "keda") -}}
{{- range fromJsonArray (include "pecia.engines" .) -}}
{{- $uses = or $uses (eq .autoscaling "keda") -}}
{{- end -}}
{{- if $uses }}true{{ end -}}
{{- end -}}
