{{/* Pieces of network policies. */}}

{{/* Pods of this release's components: list of root and components. */}}
{{- define "pecia.peers" -}}
{{- $root := index . 0 -}}
{{- range index . 1 }}
- podSelector:
    matchLabels:
      {{- include "pecia.selector" (list $root .) | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "pecia.toDns" -}}
- to:
    - {namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}
    - ipBlock: {cidr: 169.254.20.10/32} # a cache on the node
  ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}

{{- define "pecia.toOcr" -}}
- to: [{podSelector: {matchLabels: {pecia.dev/fleet: {{ include "pecia.fleet" . }}}}}]
  ports: [{port: 50051}]
{{- end -}}

{{/* Buckets, pictures by URL, webhooks; the roles of pods; databases and what else is private. */}}
{{- define "pecia.toOutside" -}}
{{- if .Values.networkPolicy.internet }}
- to:
    - ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]}
    - ipBlock: {cidr: "::/0", except: ["fc00::/7", "fe80::/10", "::1/128"]}
  ports: [{port: 443}, {port: 80}, {port: 8080}, {port: 8443}]
{{- end }}
{{ include "pecia.toPodIdentity" . }}
{{- range .Values.networkPolicy.privatePeers }}
- to: [{ipBlock: {cidr: {{ .cidr | quote }}}}]
  ports: [{{ range $at, $port := .ports }}{{ if $at }}, {{ end }}{port: {{ $port }}}{{ end }}]
{{- end }}
{{- end -}}

{{/* Prometheus, on a port: list of root and port. */}}
{{- define "pecia.fromPrometheus" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.networkPolicy.prometheusNamespace }}
- from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ . }}}}}]
  ports: [{port: {{ index $ 1 }}}]
{{- end }}
{{- end -}}

{{/* Who comes from outside of the release. */}}
{{- define "pecia.clients" -}}
- podSelector: {matchLabels: {pecia.dev/client: "true"}}
{{- range .Values.networkPolicy.clients }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- define "pecia.toGateway" -}}
- to:
    {{- include "pecia.peers" (list . (list "gateway")) | trim | nindent 4 }}
  ports: [{port: 8000}]
{{- end -}}

{{/* Where EKS hands out the roles of pods. */}}
{{- define "pecia.toPodIdentity" -}}
- to: [{ipBlock: {cidr: 169.254.170.23/32}}, {ipBlock: {cidr: "fd00:ec2::23/128"}}]
  ports: [{port: 80}]
{{- end -}}

{{/* Whether pods of the operator fetch weights themselves. */}}
{{- define "pecia.fetchesWeights" -}}
{{- range .Values.models -}}
{{- if or (dig "weights" "s3" "" .spec) (dig "weights" "huggingFace" "" .spec) }}true{{ end -}}
{{- end -}}
{{- end -}}
