{{/* One alert: dict of root, name, for, severity, expr, summary and description. */}}
{{- define "pecia.alert" -}}
- alert: {{ .name }}
  expr: {{ .expr | quote }}
  for: {{ .for }}
  labels: {severity: {{ .severity }}}
  annotations:
    summary: {{ .summary | quote }}
    description: {{ .description | quote }}
    runbook_url: {{ .root.Values.monitoring.runbookUrl }}#{{ lower .name }}
{{- end -}}
