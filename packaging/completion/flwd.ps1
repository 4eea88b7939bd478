# Completion for PowerShell 7: flwd completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName flwd -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object {
        if ($_.Extent.EndOffset -gt $cursorPosition) { $_.Extent.Text.Substring(0, $cursorPosition - $_.Extent.StartOffset) }
        elseif ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value }
        else { $_.Extent.Text }
    })
    $command = $words[0]
    $rest = @($words | Select-Object -Skip 1)
    # After a blank a new word begins, which has no element yet.
    if ($wordToComplete -eq '') { $rest += '' }
    & $command __complete ($rest.Count - 1) @rest 2>$null | ForEach-Object { ConvertFrom-Json $_ } | ForEach-Object {
        if ($_.files) {
            $typed = $wordToComplete -replace '^--[^=]*=', ''
            $prefix = $wordToComplete.Substring(0, $wordToComplete.Length - $typed.Length)
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($typed) | ForEach-Object {
                [System.Management.Automation.CompletionResult]::new($prefix + $_.CompletionText, $_.ListItemText, 'ProviderItem', $_.ToolTip)
            }
        }
        else {
            $text = if ($_.value -match '^[\w./:=@%+,-]+$') { $_.value } else { "'" + $_.value.Replace("'", "''") + "'" }
            $about = if ($_.about) { $_.about } else { $_.value }
            [System.Management.Automation.CompletionResult]::new($text, $_.value, 'ParameterValue', $about)
        }
    }
}
