{{/* What every pod is: restricted, spread, given time to end. */}}

{{/* Beginning of a pod's spec: dict of root, component, values, account, grace. */}}
{{- define "pecia.podSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ eq .component "operator" }}
enableServiceLinks: false
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
terminationGracePeriodSeconds: {{ .grace }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    # those of its own revision: the former ones go, and what is spread beside them is not when they are gone
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "pecia.selector" (list $root $.component) | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* A container's own walls. */}}
{{- define "pecia.walls" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Image, name and policy of a container: list of root, name, and values with an `image`. */}}
{{- define "pecia.container" -}}
{{- $root := index . 0 -}}
{{- $image := (index . 2).image -}}
name: {{ index . 1 }}
image: {{ include "pecia.image" (list $root $image.repository $image.tag $image.digest) }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
{{ include "pecia.walls" . }}
{{- end -}}

{{/* Still answer while everybody hears that this pod leaves: list of root and seconds. Older kubelets have no sleep of
     their own. */}}
{{- define "pecia.preStop" -}}
lifecycle:
  preStop:
    {{- if semverCompare ">=1.30-0" (index . 0).Capabilities.KubeVersion.Version }}
    sleep: {seconds: {{ index . 1 }}}
    {{- else }}
    exec: {command: [sleep, {{ index . 1 | quote }}]}
    {{- end }}
{{- end -}}

{{/* Environment from ConfigMaps and Secrets: list of ConfigMap names and Secret names. */}}
{{- define "pecia.envFrom" -}}
envFrom:
  {{- range index . 0 }}
  - configMapRef: {name: {{ . }}}
  {{- end }}
  {{- range index . 1 }}
  - secretRef: {name: {{ . }}}
  {{- end }}
{{- end -}}

{{/* Nothing but /tmp can be written to, and it is home as well. */}}
{{- define "pecia.home" -}}
- {name: HOME, value: /tmp}
- {name: TMPDIR, value: /tmp}
{{- end -}}

{{/* Folders with secrets: dict of root and which of keys, tls, client-tls, webhooks, signing, verifying and
     model-key. Folders, so that new ones are seen without a restart. */}}
{{- define "pecia.secretMounts" -}}
{{- range $name, $secret := fromJson (include "pecia.folders" .) }}
- {name: {{ $name }}, mountPath: /etc/pecia/{{ $name }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "pecia.secretVolumes" -}}
{{- range $name, $secret := fromJson (include "pecia.folders" .) }}
- name: {{ $name }}
  secret: {secretName: {{ $secret }}, defaultMode: 288} # 0440, for the group
{{- end }}
{{- end -}}

{{- define "pecia.folders" -}}
{{- $values := .root.Values -}}
{{- $all := dict "keys" $values.auth.existingSecret "tls" (include "pecia.tlsSecret" .root) "client-tls" (include "pecia.clientTlsSecret" .root) -}}
{{- $_ := set $all "signing" $values.assertion.existingSecret -}}
{{- $_ := set $all "verifying" $values.assertion.verifyingSecret -}}
{{- $_ := set $all "model-key" $values.ocr.modelKeySecret -}}
{{- $_ := set $all "webhooks" (ternary $values.jobs.webhookKeysSecret "" (ne (include "pecia.hasExternalJobs" .root) "")) -}}
{{- $wanted := dict -}}
{{- range $name := .which -}}
{{- with get $all $name -}}{{- $_ := set $wanted $name . -}}{{- end -}}
{{- end -}}
{{- toJson $wanted -}}
{{- end -}}

{{/* Labels and annotations of a pod: list of root, component, further labels and what it was configured with. */}}
{{- define "pecia.podMetadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "pecia.selector" (list $root (index . 1)) | nindent 2 }}
  app.kubernetes.io/part-of: pecia
  {{- with index . 2 }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: {{ index . 1 }}
  checksum/config: {{ index . 3 | sha256sum }}
  # nothing of worth is in them, and nodes that nobody needs can go
  cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes: tmp,shm,worker-tmp
  {{- with $root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Pods leave one by one when nodes are emptied; one that is alone may leave: list of root, component, suffix. */}}
{{- define "pecia.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "pecia.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "pecia.selector" . | nindent 6 }}
{{- end -}}

{{/* A ServiceAccount: list of root, component and its `serviceAccount`. */}}
{{- define "pecia.serviceAccount" -}}
{{- $account := index . 2 -}}
{{- if $account.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "pecia.account" . }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels:
    {{- include "pecia.labels" . | nindent 4 }}
  {{- with $account.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end -}}
