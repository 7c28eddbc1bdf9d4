{{- define "operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: sensorthings
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
{{- /* The operator's settings file: what the administrator gave, and what follows from the chart's other values. */}}
{{- define "operator.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- $_ := set $settings "namespace" .Release.Namespace -}}
{{- $_ := set $settings "leaseName" .Release.Name -}}
{{- $_ := set $settings "ingressNginx" (omit .Values.ingressNginx "enabled") -}}
{{- $realms := dict -}}
{{- range $name, $realm := .Values.keycloakRealms -}}
{{- $folder := printf "/etc/sensorthings-keycloak/%s" $name -}}
{{- $_ := set $realms $name (dict "url" $realm.url "realm" $realm.realm "folder" $folder) -}}
{{- end -}}
{{- with (.Values.podMonitor).labels }}{{ $_ := set $settings "podMonitorLabels" . }}{{ end -}}
{{- with .Values.tokenService.door }}
{{- if .enabled }}{{ $_ := set $settings "tokenDoor" (dict "enabled" true "hosts" .hosts) }}{{ end }}
{{- end -}}
{{- if $realms }}{{ $_ := set $settings "keycloakRealms" $realms }}{{ end -}}
{{- toYaml $settings -}}
{{- end }}
