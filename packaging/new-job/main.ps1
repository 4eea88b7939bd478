# The arguments are JSON in a file. The script starts in an empty folder; the job's folder is $env:FLWD_JOB_DIR.
# Needs PowerShell 7 (`pwsh`) on the machine that runs it: https://aka.ms/install-powershell

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
$arguments = Get-Content -Raw $env:FLWD_ARGS_FILE | ConvertFrom-Json

# flwd_log, flwd_progress, flwd_result, flwd_output and flwd_artifact are programs.
$names = @($arguments.who) + @($arguments.also)
flwd_log debug "names: $($names.Count), times: $($arguments.times)"
$greetings = @()
foreach ($round in 1..$arguments.times) {
    foreach ($name in $names) {
        $text = "Hello, $name."
        if ($arguments.dated) { $text += " It is $(Get-Date -Format yyyy-MM-dd)." }
        if ($arguments.style -eq 'loud') { $text = $text.ToUpper() }
        Write-Output $text   # printed lines become the log
        $greetings += $text
    }
    flwd_progress ([math]::Floor(100 * $round / $arguments.times)) "$($greetings.Count) greetings"
}

# Files in this folder are kept as artifacts.
$greetings | Set-Content (Join-Path $env:FLWD_ARTIFACTS_DIR 'greetings.txt')
flwd_result (@{ greetings = $greetings.Count } | ConvertTo-Json -Compress)
