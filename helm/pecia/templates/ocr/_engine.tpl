{{/* What an engine's Deployment is made of; each takes the entry of `ocr.engines` with its defaults. */}}

{{- define "pecia.engineResources" -}}
{{- if .resources -}}
{{- $resources := deepCopy .resources -}}
{{- if gt (int .gpus) 0 -}}
{{- $resources = mergeOverwrite (dict "limits" (dict "nvidia.com/gpu" (int .gpus))) $resources -}}
{{- end -}}
{{ toYaml $resources }}
{{- else if gt (int .gpus) 0 -}}
requests: {cpu: "2", memory: 8Gi}
limits: {memory: 12Gi, nvidia.com/gpu: {{ .gpus }}}
{{- else -}}
requests: {cpu: {{ .workers | quote }}, memory: {{ add1 .workers }}Gi}
limits: {memory: {{ add1 .workers }}Gi}
{{- end -}}
{{- end -}}

{{- define "pecia.engineRollout" -}}
{{- if eq .rollout "replace" -}}
rollingUpdate: {maxSurge: 0, maxUnavailable: 1}
{{- else -}}
rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
{{- end -}}
{{- end -}}

{{/* The node's own taint is borne by whoever has a GPU. */}}
{{- define "pecia.engineTolerations" -}}
{{- $all := .tolerations -}}
{{- if gt (int .gpus) 0 -}}
{{- $all = append $all (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule") -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- define "pecia.engineShm" -}}
{{- .shmSize | default (ternary "2Gi" "64Mi" (gt (int .gpus) 0)) -}}
{{- end -}}

{{/* Probes of the contract: "" = the process lives, the service's name = an engine can read. Kubelets speak
     neither TLS nor keys, so that with TLS a port of its own answers them. */}}
{{- define "pecia.engineProbes" -}}
{{- $root := index . 0 -}}
{{- $engine := index . 1 -}}
{{- $port := ternary 50052 50051 $root.Values.tls.enabled -}}
startupProbe:
  grpc: {port: {{ $port }}, service: pecia.ocr.v1.OcrService}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ ceil (divf $engine.startupSeconds 10) }}
livenessProbe:
  grpc: {port: {{ $port }}, service: ""}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
readinessProbe:
  grpc: {port: {{ $port }}, service: pecia.ocr.v1.OcrService}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}
