{{/* Names, labels and the arithmetic of stopping: what every object here shares. */}}

{{- define "pecia.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The label by which the headless Service finds every ocr pod, the operator's included. */}}
{{- define "pecia.fleet" -}}
{{- default (include "pecia.fullname" .) .Values.ocr.fleet -}}
{{- end -}}

{{/* What finds the pods of a component: list of root and component. */}}
{{- define "pecia.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of a component's objects: list of root and component. */}}
{{- define "pecia.labels" -}}
{{- $root := index . 0 -}}
{{ include "pecia.selector" . }}
app.kubernetes.io/part-of: pecia
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, namespace and labels of an object: list of root, component and what follows the release's name. */}}
{{- define "pecia.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "pecia.fullname" $root }}{{ with index . 2 }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "pecia.labels" (list $root (index . 1)) | nindent 2 }}
{{- end -}}

{{/* An image's full name: list of root, repository, tag and digest. */}}
{{- define "pecia.image" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.image.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- index . 1 -}}
{{- with index . 3 }}@{{ . }}{{ else }}:{{ default (default $root.Chart.AppVersion $root.Values.image.tag) (index $ 2) }}{{ end -}}
{{- end -}}

{{/* The account of a component: list of root, component and its `serviceAccount`. */}}
{{- define "pecia.account" -}}
{{- $account := index . 2 -}}
{{- if $account.create -}}
{{- default (printf "%s-%s" (include "pecia.fullname" (index . 0)) (index . 1)) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* Seconds that what runs is given after SIGTERM: the longest page and 15 more. */}}
{{- define "pecia.drainSeconds" -}}
{{- add .Values.inferenceTimeoutSeconds 15 -}}
{{- end -}}

{{/* Seconds from a pod's deletion to its end: it still answers, then it drains. */}}
{{- define "pecia.graceSeconds" -}}
{{- add .Values.preStopSeconds (include "pecia.drainSeconds" .) -}}
{{- end -}}

{{/* Seconds that gateway and page still answer once they are to stop. A load balancer of AWS sends them more for a
     while after they were taken out. */}}
{{- define "pecia.leaveSeconds" -}}
{{- $alb := and .Values.ingress.enabled (ne (include "pecia.isAlb" .) "") -}}
{{- ternary (max .Values.preStopSeconds .Values.ingress.alb.leaveSeconds) (int64 .Values.preStopSeconds) $alb -}}
{{- end -}}

{{/* The same of a gateway. */}}
{{- define "pecia.gatewayGraceSeconds" -}}
{{- add (include "pecia.leaveSeconds" .) (include "pecia.drainSeconds" .) -}}
{{- end -}}

{{/* Seconds the load balancer lets requests end on a pod that leaves. To Helm 3 a number's zero is a word until it
     is asked for as a number. */}}
{{- define "pecia.deregistrationSeconds" -}}
{{- .Values.ingress.alb.deregistrationSeconds | int | default (include "pecia.drainSeconds" .) -}}
{{- end -}}

{{- define "pecia.hasLocalJobs" -}}
{{- if and .Values.jobs.enabled (eq .Values.jobs.store "local") }}true{{ end -}}
{{- end -}}

{{- define "pecia.hasExternalJobs" -}}
{{- if and .Values.jobs.enabled (eq .Values.jobs.store "external") }}true{{ end -}}
{{- end -}}

{{- define "pecia.isAlb" -}}
{{- if eq .Values.ingress.className "alb" }}true{{ end -}}
{{- end -}}

{{/* The Secret with DATABASE_URL and the rest; "" = there is none. */}}
{{- define "pecia.backendSecret" -}}
{{- if .Values.secrets.externalSecrets.enabled -}}
{{- include "pecia.fullname" . }}-backend
{{- else -}}
{{- .Values.secrets.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the ocr service's certificate; "" = TLS is off. */}}
{{- define "pecia.tlsSecret" -}}
{{- if .Values.tls.enabled -}}
{{- ternary (printf "%s-tls" (include "pecia.fullname" .)) .Values.tls.existingSecret .Values.tls.certManager.enabled -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate of gateway and workers; "" = TLS is off. */}}
{{- define "pecia.clientTlsSecret" -}}
{{- if .Values.tls.enabled -}}
{{- ternary (printf "%s-client-tls" (include "pecia.fullname" .)) (default .Values.tls.existingSecret .Values.tls.clientSecret) .Values.tls.certManager.enabled -}}
{{- end -}}
{{- end -}}

{{/* Engines with what they leave unsaid: a JSON list, because templates hand on text only. */}}
{{- define "pecia.engines" -}}
{{- $engines := list -}}
{{- range .Values.ocr.engines -}}
{{- $engines = append $engines (mergeOverwrite (deepCopy $.Values.ocr.defaults) (deepCopy .)) -}}
{{- end -}}
{{- toJson $engines -}}
{{- end -}}

{{/* Connections to the database at most: of each pod there may be, and of one more of a kind while they are
     replaced. The intake has some of its own, one more than the two documents it fetches at once. */}}
{{- define "pecia.databaseConnections" -}}
{{- $gateway := .Values.gateway -}}
{{- $worker := .Values.worker -}}
{{- $gateways := add 1 (ternary $gateway.replicas $gateway.autoscaling.maxReplicas (eq $gateway.autoscaling.kind "none")) -}}
{{- $workers := add 1 (ternary $worker.replicas $worker.autoscaling.maxReplicas (eq $worker.autoscaling.kind "none")) -}}
{{- add (mul (add $gateways $workers) .Values.jobs.database.poolSize) (mul $workers (ternary 3 0 $worker.intake)) -}}
{{- end -}}
