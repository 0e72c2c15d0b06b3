{{/* Mixes that cannot work are refused before anything is changed, each with what to do. A test breaks every
     one of these rules. */}}

{{- define "pecia.validate" -}}
{{- $found := list -}}
{{- range $part := list "names" "jobs" "engines" "doors" "secrets" "outside" "operator" -}}
{{- with include (print "pecia.validate." $part) $ | trim -}}
{{- $found = concat $found (splitList "\n" .) -}}
{{- end -}}
{{- end -}}
{{- $said := list -}}
{{- range $found -}}{{- with trim . -}}{{- $said = append $said . -}}{{- end -}}{{- end -}}
{{- if $said -}}
{{- fail (printf "\n\nThis cannot be installed:\n- %s\n" (join "\n- " $said)) -}}
{{- end -}}
{{- end -}}

{{- define "pecia.validate.names" -}}
{{- $seen := dict -}}
{{- range .Values.ocr.engines -}}
{{- if hasKey $seen .name }}
ocr.engines has two entries named "{{ .name }}", which would be one Deployment. Give each a name of its own.
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- $models := dict -}}
{{- range .Values.models -}}
{{- if hasKey $models .name }}
models has two entries named "{{ .name }}". Give each a name of its own.
{{- end -}}
{{- $_ := set $models .name true -}}
{{- end -}}
{{- end -}}

{{- define "pecia.validate.jobs" -}}
{{- if include "pecia.hasLocalJobs" . -}}
{{- if gt (int .Values.gateway.replicas) 1 }}
jobs.store=local is SQLite and a folder on one volume, for one gateway alone, but gateway.replicas is {{ .Values.gateway.replicas }}. Set gateway.replicas=1, or jobs.store=external with PostgreSQL and a bucket, or jobs.enabled=false.
{{- end -}}
{{- if ne .Values.gateway.autoscaling.kind "none" }}
jobs.store=local is SQLite and a folder on one volume, for one gateway alone, but gateway.autoscaling.kind is {{ .Values.gateway.autoscaling.kind }}. Set it to none, or jobs.store=external.
{{- end -}}
{{- if ne (int .Values.worker.replicas) 1 }}
jobs.store=local has its one worker inside the gateway's pod, but worker.replicas is {{ .Values.worker.replicas }}. Set worker.replicas=1, or jobs.store=external.
{{- end -}}
{{- if ne .Values.worker.autoscaling.kind "none" }}
jobs.store=local has its one worker inside the gateway's pod, but worker.autoscaling.kind is {{ .Values.worker.autoscaling.kind }}. Set it to none, or jobs.store=external.
{{- end -}}
{{- if or .Values.jobs.blobsUrl .Values.jobs.webhookKeysSecret }}
jobs.blobsUrl and jobs.webhookKeysSecret belong to jobs.store=external; with local nobody would look at them. Leave them empty, or set jobs.store=external.
{{- end -}}
{{- end -}}
{{- if and (include "pecia.hasExternalJobs" .) (not (include "pecia.backendSecret" .)) }}
jobs.store=external needs a database: put DATABASE_URL (postgresql://...) into a Secret and name it in secrets.existingSecret, or set secrets.externalSecrets.enabled.
{{- end -}}
{{- $database := .Values.jobs.database -}}
{{- $wanted := int (include "pecia.databaseConnections" .) -}}
{{- $room := sub (int $database.maxConnections) 10 -}}
{{- if and (include "pecia.hasExternalJobs" .) (gt (int $database.maxConnections) 0) (gt $wanted (int $room)) }}
Gateways and workers may open {{ $wanted }} connections to the database during an upgrade, and jobs.database.maxConnections leaves {{ $room }}. Raise max_connections there and here, lower jobs.database.poolSize or the most pods, or put a pooler between.
{{- end -}}
{{- end -}}

{{- define "pecia.validate.engines" -}}
{{- $usesKeda := include "pecia.usesKeda" . -}}
{{- if and (not .Values.ocr.engines) (not .Values.models) }}
Nothing would read a page: ocr.engines and models are both empty. Add an entry to one of them.
{{- end -}}
{{- range fromJsonArray (include "pecia.engines" .) -}}
{{- $gpus := int .gpus -}}
{{- $where := printf "ocr.engines[%s]" .name -}}
{{- if and (has "deepseek" .engines) (not .deepseekServerUrl) (lt $gpus 1) }}
{{ $where }} runs deepseek without a GPU, which takes minutes a page. Set gpus=1, or deepseekServerUrl to the address of a server that runs the model.
{{- end -}}
{{- if and (has "deepseek" .engines) (not .deepseekServerUrl) (not .weightsClaim) }}
{{ $where }} runs deepseek but has no weights. Set weightsClaim to a PersistentVolumeClaim that holds the checkpoint, or deepseekServerUrl, or let the operator fetch them: an entry of models.
{{- end -}}
{{- if and .weightsClaim .deepseekServerUrl }}
{{ $where }} has weightsClaim and deepseekServerUrl: the model runs here or there. Keep one.
{{- end -}}
{{- if and (gt $gpus 0) (not (has "deepseek" .engines)) }}
{{ $where }} asks for {{ $gpus }} GPU, but rapid and tesseract compute on the CPU. Set gpus=0, or add deepseek to engines.
{{- end -}}
{{- if and (gt $gpus 0) (eq .rollout "surge") (eq .autoscaling "none") }}
{{ $where }} has rollout=surge and a fixed number of GPUs: the new pod waits for a GPU that the old one holds, for ever. Set rollout=replace, or autoscaling=keda where nodes are added on demand.
{{- end -}}
{{- if and (eq .rollout "replace") (eq .autoscaling "none") (gt (int .replicas) 0) (eq $gpus 0) (lt (int .replicas) 2) }}
{{ $where }} has rollout=replace and one replica: every upgrade stops all reading. Set rollout=surge, or replicas=2.
{{- end -}}
{{- if and (eq .autoscaling "hpa") (has "deepseek" .engines) }}
{{ $where }} scales by CPU (autoscaling=hpa), which says nothing of a GPU. Set autoscaling=keda.
{{- end -}}
{{- if and (eq .autoscaling "hpa") (lt (int .minReplicas) 1) }}
{{ $where }} has autoscaling=hpa and minReplicas=0: without pods there is no CPU to measure. Set minReplicas=1, or autoscaling=keda.
{{- end -}}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
{{ $where }} has more minReplicas ({{ .minReplicas }}) than maxReplicas ({{ .maxReplicas }}).
{{- end -}}
{{- if and (eq .autoscaling "keda") (not (include "pecia.hasExternalJobs" $)) }}
{{ $where }} scales by the pages that wait in PostgreSQL (autoscaling=keda), but there is none. Set jobs.store=external, or autoscaling=hpa.
{{- end -}}
{{- end -}}
{{- range $name, $scaling := dict "gateway" .Values.gateway.autoscaling "worker" .Values.worker.autoscaling -}}
{{- if and (ne $scaling.kind "none") (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}
{{ $name }}.autoscaling has more minReplicas ({{ $scaling.minReplicas }}) than maxReplicas ({{ $scaling.maxReplicas }}).
{{- end -}}
{{- end -}}
{{- $worker := .Values.worker -}}
{{- if and (eq $worker.autoscaling.kind "keda") (eq (int $worker.autoscaling.minReplicas) 0) $worker.intake }}
worker.autoscaling.minReplicas=0 with worker.intake: documents on the Redis list would wait for ever, because KEDA asks PostgreSQL alone. Set minReplicas=1, or intake=false where no backend pushes any.
{{- end -}}
{{- if and $usesKeda (not .Values.gateway.readyWithoutOcr) (not (include "pecia.alwaysReads" .)) (or .Values.ocr.engines .Values.models) }}
Every engine may have no pods, and a gateway that is ready only with one (gateway.readyWithoutOcr=false) would take no jobs that could wake them. Set gateway.readyWithoutOcr=true, or minReplicas=1 for one engine.
{{- end -}}
{{- $gateway := .Values.gateway.autoscaling -}}
{{- if and (eq $gateway.kind "hpa") (not (dig "requests" "cpu" "" .Values.gateway.resources)) }}
gateway.autoscaling.kind=hpa measures the share of requested CPU, but gateway.resources requests none. Set gateway.resources.requests.cpu.
{{- end -}}
{{- end -}}

{{- define "pecia.validate.doors" -}}
{{- $ingress := .Values.ingress -}}
{{- $isAlb := include "pecia.isAlb" . -}}
{{- if and .Values.ui.enabled (gt (int .Values.ui.replicas) 1) (not .Values.ui.stickyElsewhere) (not (and $ingress.enabled (or $isAlb $ingress.sticky))) }}
ui.replicas is {{ .Values.ui.replicas }}, but nothing keeps a visitor on one pod, where the session is. Set ingress.enabled with className alb (it does), ingress.sticky where your class does it by annotations, ui.stickyElsewhere where something else does, or ui.replicas=1.
{{- end -}}
{{- if and $ingress.enabled (not $isAlb) (not $ingress.apiHost) }}
ingress.className is {{ $ingress.className }}, which needs a host name for the API: set ingress.apiHost.
{{- end -}}
{{- if and $ingress.enabled (not $isAlb) .Values.ui.enabled (not $ingress.uiHost) }}
ingress.className is {{ $ingress.className }}, under which the page needs a host name of its own: set ingress.uiHost, or ui.enabled=false.
{{- end -}}
{{- if and $ingress.enabled $ingress.apiHost (eq $ingress.apiHost $ingress.uiHost) }}
ingress.apiHost and ingress.uiHost are the same name ({{ $ingress.apiHost }}), and both serve /. Give the page another name.
{{- end -}}
{{- if and $isAlb $ingress.tlsSecret }}
ingress.tlsSecret is not read by a load balancer of AWS: name an ACM certificate in ingress.alb.certificateArn.
{{- end -}}
{{- if and $ingress.enabled $isAlb (eq (int $ingress.alb.apiPort) (int $ingress.alb.uiPort)) }}
ingress.alb.apiPort and uiPort are both {{ $ingress.alb.apiPort }}: each needs a listener of its own.
{{- end -}}
{{- if and $ingress.enabled $ingress.alb.certificateArn (or (eq (int $ingress.alb.apiPort) 443) (eq (int $ingress.alb.uiPort) 443)) }}
ingress.alb: 443 is there already when certificateArn is set. Give apiPort and uiPort other numbers.
{{- end -}}
{{- if and $ingress.enabled $isAlb (gt (int (include "pecia.deregistrationSeconds" .)) (int (include "pecia.gatewayGraceSeconds" .))) }}
ingress.alb.deregistrationSeconds is {{ include "pecia.deregistrationSeconds" . }}, but a pod is gone after {{ include "pecia.gatewayGraceSeconds" . }} s (leaveSeconds, inferenceTimeoutSeconds and 15 s together): requests would be sent to nobody. Set at most that, or 0.
{{- end -}}
{{- if and $ingress.enabled $isAlb (lt (int $ingress.alb.idleTimeoutSeconds) (int .Values.inferenceTimeoutSeconds)) }}
ingress.alb.idleTimeoutSeconds is {{ $ingress.alb.idleTimeoutSeconds }}, shorter than inferenceTimeoutSeconds ({{ .Values.inferenceTimeoutSeconds }}): the load balancer would cut answers that are being made.
{{- end -}}
{{- end -}}

{{- define "pecia.validate.secrets" -}}
{{- $tls := .Values.tls -}}
{{- if and $tls.enabled (not $tls.existingSecret) (not $tls.certManager.enabled) }}
tls.enabled needs a certificate: name a Secret with tls.crt, tls.key and ca.crt in tls.existingSecret, or set tls.certManager.enabled.
{{- end -}}
{{- if and $tls.enabled $tls.existingSecret $tls.certManager.enabled }}
tls.existingSecret and tls.certManager.enabled both give a certificate. Keep one.
{{- end -}}
{{- if and $tls.certManager.enabled (not $tls.certManager.issuerName) }}
tls.certManager.enabled needs an issuer: set tls.certManager.issuerName.
{{- end -}}
{{- if and (not $tls.enabled) (or $tls.existingSecret $tls.certManager.enabled) }}
tls has a certificate but is off: set tls.enabled=true, or take tls.existingSecret and tls.certManager away.
{{- end -}}
{{- if and $tls.clientSecret (not $tls.existingSecret) }}
tls.clientSecret is the callers' side of tls.existingSecret, which is empty. Set it, or take clientSecret away.
{{- end -}}
{{- if ne (eq .Values.audit.output "claim") (ne .Values.audit.existingClaim "") }}
audit.output=claim writes into audit.existingClaim: set both, or neither.
{{- end -}}
{{- $assertion := .Values.assertion -}}
{{- if ne (empty $assertion.existingSecret) (empty $assertion.verifyingSecret) }}
assertion.existingSecret signs and assertion.verifyingSecret checks: set both, or neither.
{{- end -}}
{{- $external := .Values.secrets.externalSecrets -}}
{{- if and $external.enabled .Values.secrets.existingSecret }}
secrets.existingSecret and secrets.externalSecrets.enabled both give the backend's Secret. Keep one.
{{- end -}}
{{- if and $external.enabled (not $external.storeName) }}
secrets.externalSecrets.enabled needs a store: set secrets.externalSecrets.storeName.
{{- end -}}
{{- if and .Values.auth.existingSecret .Values.jobs.enabled (not .Values.auth.internalKeySecret) (not .Values.assertion.existingSecret) }}
auth.existingSecret asks everybody for a key, also the workers, who read pages when no caller is there. Let them sign (assertion.existingSecret), or put the key of a trusted record into a Secret and name it in auth.internalKeySecret, or set jobs.enabled=false.
{{- end -}}
{{- if and .Values.auth.internalKeySecret (not .Values.auth.existingSecret) }}
auth.internalKeySecret is a key of keys.toml, but auth.existingSecret names none. Set it, or take internalKeySecret away.
{{- end -}}
{{- end -}}

{{- define "pecia.validate.outside" -}}
{{- $network := .Values.networkPolicy -}}
{{- if and $network.enabled .Values.ingress.enabled (not $network.clients) }}
networkPolicy.enabled shuts the load balancer out as well: name its subnets in networkPolicy.clients, such as 10.0.0.0/16.
{{- end -}}
{{- if and $network.enabled (include "pecia.hasExternalJobs" .) (not $network.privatePeers) }}
networkPolicy.enabled shuts gateway and workers out of the database: name its subnet and port in networkPolicy.privatePeers, such as {cidr: 10.0.0.0/16, ports: [5432]}.
{{- end -}}
{{- if and $network.enabled .Values.ocr.cacheSecret (not $network.ocrPeers) }}
networkPolicy.enabled shuts the ocr service out of the cache's Redis: name its subnet and port in networkPolicy.ocrPeers, or leave ocr.cacheSecret empty.
{{- end -}}
{{- if and $network.enabled (include "pecia.fetchesWeights" .) (not $network.ocrPeers) }}
networkPolicy.enabled shuts pods of models out of where their weights lie: name it in networkPolicy.ocrPeers, such as {cidr: 0.0.0.0/0, ports: [443]}, or the addresses of your region's S3 alone.
{{- end -}}
{{- if and $network.enabled (not $network.ocrPeers) -}}
{{- range fromJsonArray (include "pecia.engines" .) -}}
{{- if .deepseekServerUrl }}
networkPolicy.enabled shuts ocr.engines[{{ .name }}] out of the server at deepseekServerUrl: name its address and port in networkPolicy.ocrPeers.
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- $open := and (include "pecia.isAlb" .) (eq .Values.ingress.alb.scheme "internet-facing") (has "0.0.0.0/0" .Values.ingress.alb.inboundCidrs) -}}
{{- if and $open (not .Values.auth.existingSecret) (not .Values.ingress.openToAll) }}
The load balancer would face the internet and ask nobody for a key. Name a keys file in auth.existingSecret, narrow ingress.alb.inboundCidrs, set ingress.alb.scheme=internal, or, where that is meant, ingress.openToAll=true.
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pecia.validate.operator" -}}
{{- if and .Values.models (not .Values.operator.enabled) }}
models are made real by the operator, which is off. Install the chart pecia-crds and set operator.enabled=true, or use ocr.engines.
{{- end -}}
{{- end -}}
