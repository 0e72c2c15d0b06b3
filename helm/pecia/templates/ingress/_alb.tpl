{{/* Annotations of the AWS load balancer controller. The group's Ingresses share one load balancer: what is
     true of it as a whole stands on the API's alone. */}}

{{/* The group's name. Groups are the whole cluster's: two releases of one name in two namespaces would share a load
     balancer, and one would get the other's callers. At most 63 characters. */}}
{{- define "pecia.albGroup" -}}
{{- $name := include "pecia.fullname" . -}}
{{- $full := ternary $name (printf "%s.%s" .Release.Namespace $name) (eq .Release.Namespace $name) -}}
{{- if gt (len $full) 63 -}}
{{- $full = printf "%s-%s" ($full | trunc 54 | trimSuffix "-" | trimSuffix ".") ($full | sha256sum | trunc 8) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{/* Of both: list of root, plain port and health check's path. */}}
{{- define "pecia.alb" -}}
{{- $root := index . 0 -}}
{{- $alb := $root.Values.ingress.alb -}}
{{- $port := index . 1 -}}
{{- $listeners := list (dict (ternary "HTTPS" "HTTP" (and (ne $alb.certificateArn "") (not $alb.plainPorts))) (int $port)) -}}
{{- if and $alb.certificateArn (index . 3) -}}
{{- $listeners = append $listeners (dict "HTTPS" 443) -}}
{{- end -}}
alb.ingress.kubernetes.io/group.name: {{ default (include "pecia.albGroup" $root) $alb.group }}
alb.ingress.kubernetes.io/scheme: {{ $alb.scheme }}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/listen-ports: {{ toJson $listeners | quote }}
alb.ingress.kubernetes.io/inbound-cidrs: {{ join "," $alb.inboundCidrs | quote }}
{{- if $alb.certificateArn }}
alb.ingress.kubernetes.io/certificate-arn: {{ $alb.certificateArn | quote }}
alb.ingress.kubernetes.io/ssl-policy: {{ $alb.sslPolicy }}
{{- end }}
{{- with $alb.subnets }}
alb.ingress.kubernetes.io/subnets: {{ join "," . | quote }}
{{- end }}
alb.ingress.kubernetes.io/healthcheck-path: {{ index . 2 }}
alb.ingress.kubernetes.io/healthcheck-protocol: HTTP
alb.ingress.kubernetes.io/healthcheck-interval-seconds: "10"
alb.ingress.kubernetes.io/healthcheck-timeout-seconds: "5"
alb.ingress.kubernetes.io/healthy-threshold-count: "2"
alb.ingress.kubernetes.io/unhealthy-threshold-count: "2"
alb.ingress.kubernetes.io/success-codes: "200"
{{- end -}}

{{/* Of the load balancer itself, on the API's Ingress. */}}
{{- define "pecia.albOnce" -}}
{{- $alb := .Values.ingress.alb -}}
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds={{ $alb.idleTimeoutSeconds }},routing.http.drop_invalid_header_fields.enabled=true
{{- with $alb.wafAclArn }}
alb.ingress.kubernetes.io/wafv2-acl-arn: {{ . | quote }}
{{- end }}
{{- end -}}
